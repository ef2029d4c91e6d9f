"""What is told at the end of a run: how it ended, in a form that holds no secret, and only where it may be told."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.outcome import ExitStatus
from orchestrator.core.store import Store
from orchestrator.execution import on_end
from orchestrator.execution.on_end import message, telling_the_end
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID, findings_of, write
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

REFERENCE = Path(__file__).parents[4] / "docs" / "studies.md"
HOOK = "https://hooks.example.org/services/T0/secret-path"


def end(directory: Path, score: float, outcome: Outcome) -> None:
    directory.mkdir(parents=True)
    (directory / HISTORY).write_text(to_lines([Record(1, 10, {SELECTION_METRIC: score}, final=True)]))
    write_outcome(directory, outcome)


def test_it_is_as_the_reference_shows_it(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, VALID, "tracking.uri=https://me:hunter2-hunter2@mlflow.example.org")
    end(plan.students[0].directory, 0.3, Outcome("finished"))
    end(plan.students[1].directory, 0.4, Outcome("finished"))
    end(plan.students[2].directory, 0.5, Outcome("failed", "why"))
    found = message(plan, Store(tmp_path / "store"), "failed", "token=hunter2-hunter2", 12.34)
    best = plan.students[1]
    assert found["trials"] == {"finished": 2, "failed": 1, "new": 4}
    judged = {"metric": "coco/bbox_mAP", "value": 0.4}
    assert found["best"] == {"trial": best.id, "name": best.name, "ap": 0.4} | judged
    assert (found["state"], found["elapsed_s"], found["mlflow"]) == ("failed", 12.3, "https://***@mlflow.example.org")
    assert "hunter2" not in json.dumps(found)
    [shown] = re.findall(r"test_on_end.py -->\n```json\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    assert json.loads(shown).keys() == found.keys()
    assert json.loads(shown)["best"].keys() == found["best"].keys()


@pytest.mark.parametrize(
    ("error", "code", "state"),
    [
        (None, 0, "finished"),
        (None, 1, "failed"),
        (ValueError("a bug"), 0, "failed"),
        (KeyboardInterrupt(), 0, "interrupted"),
    ],
)
def test_every_end_is_told_once_and_stays_the_end(
    error: BaseException | None, code: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(on_end, "post", lambda webhook, text: told.append(json.loads(text)))
    plan = plan_text(tmp_path, VALID, f"tracking.on_end={{webhook: '{HOOK}'}}")
    raised = pytest.raises(type(error)) if error else nullcontext()
    with raised, telling_the_end(plan, Store(tmp_path / "store")) as ended:
        if error:
            raise error
        ended(lambda: ExitStatus(code, "a reason"))
    assert [(one["study"], one["state"]) for one in told] == [("demo", state)]


def test_what_goes_wrong_is_one_line_without_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(on_end, "_answer", lambda address, text: "answered 404")
    plan = plan_text(tmp_path, VALID, f"tracking.on_end={{webhook: '{HOOK}'}}")
    with telling_the_end(plan, Store(tmp_path / "store")) as ended:
        ended(lambda: ExitStatus(0))
    assert caplog.messages == ["tracking.on_end: the webhook at https://hooks.example.org answered 404"]


@pytest.mark.parametrize(
    ("section", "key", "says"),
    [
        ("{program: [rm, -r, x]}", "program", "would run rm when the study ends: pass --trust-config"),
        ("{webhook: 'ftp://host'}", "webhook", "must begin with https:// or http://"),
        ("{webhook: 'https://evil.example/${HOME}'}", "webhook", "be ${STILLHOUSE_WEBHOOK} as a whole"),
        ("{webhook: '${STILLHOUSE_WEBHOOK}'}", "webhook", "environment variable STILLHOUSE_WEBHOOK is not set"),
        ("{webhook: 'https://me:pass@host/x'}", "webhook", "holds a password"),
    ],
)
def test_a_study_says_what_it_may_not(
    section: str, key: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STILLHOUSE_WEBHOOK", raising=False)
    text = VALID.replace("tracking:\n", f"tracking:\n  on_end: {section}\n")
    [(_, where, message_)] = findings_of(write(tmp_path, text))
    assert where == f"study.yaml:25: tracking.on_end.{key}"
    assert says in message_
    assert "me:pass" not in message_


def test_a_trusted_program_is_no_mistake_and_no_part_of_the_trials(tmp_path: Path) -> None:
    text = VALID.replace("tracking:\n", "tracking:\n  on_end: {program: [notify, mine]}\n")
    path = write(tmp_path, text)
    assert findings_of(path, trust_python=True) == []
    plan = make_plan(load_study(path, trust_python=True), Store(tmp_path / "store"))
    assert plan.fingerprint == plan_text(tmp_path, VALID).fingerprint


def test_an_end_with_trials_left_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(on_end, "post", lambda webhook, text: told.append(json.loads(text)))
    plan = plan_text(tmp_path, VALID, f"tracking.on_end={{webhook: '{HOOK}'}}")
    with telling_the_end(plan, Store(tmp_path / "store")) as ended:
        ended(lambda: ExitStatus(0))
    [found] = told
    assert (found["state"], found["reason"]) == ("finished", f"not everything is trained: {len(plan.trials)} new")
