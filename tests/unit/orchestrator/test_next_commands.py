"""Commands say what comes next, in words that a shell takes and that name the same study, store and options."""

import re
import shlex
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import parser
from orchestrator.commands.next_commands import commands_with_results
from orchestrator.commands.repeat import command_again, repeating_command
from orchestrator.core.store import Store
from orchestrator.plan.trial import PlannedTrial
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import plan_file
from tests.unit.orchestrator.results.test_results import result
from tests.unit.orchestrator.study_text import VALID, edit, write
from trainers.schema.record import HISTORY, OUTCOME, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome
from trainers.schema.request import Request, write_request

AWKWARD = "name: demo"
SET = ("--set", "search={seeds: [0, 1], cohort: 2}", "--set", "scaling.workers=1")


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "my 'odd' $HOME studies"
    folder.mkdir()
    return write(folder, VALID)


def following(answer: Answer) -> list[str]:
    """Return the words of the one next command, as a shell would take them."""
    [line] = [line for line in answer.err.splitlines() if line.startswith("next:")]
    words = shlex.split(line.removeprefix("next:"))
    assert words.pop(0) == "stillhouse"
    return words


def test_each_command_leads_to_the_next_one_with_the_same_options(stillhouse, study, tmp_path):
    store = ("--store", str(tmp_path / "a store"))
    checked = following(stillhouse("check", study, *SET))
    assert checked == ["plan", str(study), *SET]
    planned = following(stillhouse(*checked, *store))
    assert planned == ["run", str(study), *SET, *store]
    run = parser().parse_args(planned)
    assert (run.sets, run.store) == (list(SET[1::2]), store[1])


def test_a_study_that_is_all_trained_leads_to_its_results(stillhouse, study, tmp_path):
    for trial in plan_file(study, store=tmp_path / "store").trials:
        trial.directory.mkdir(parents=True)
        write_outcome(trial.directory, Outcome("finished"))
        assert (trial.directory / OUTCOME).exists()
    assert following(stillhouse("plan", study, "--store", tmp_path / "store"))[0] == "compare"


def test_nothing_comes_next_while_a_study_is_wrong_or_lacks_files(stillhouse, tmp_path):
    shapes = "dataset:\n  kind: shapes\n  train_images: 8\n"
    wrong = write(tmp_path, edit("alpha1: 1.0", "alhpa1: 1.0"))
    assert "next:" not in stillhouse("check", wrong).err
    lacking = write(tmp_path, edit(shapes, section(tmp_path / "nowhere")))
    assert "next:" not in stillhouse("plan", lacking).err
    other = write(tmp_path, edit(shapes, section(write_coco(tmp_path / "data", classes=("dog", "cow")))))
    assert "next:" not in stillhouse("plan", other).err


@pytest.mark.parametrize("command", ["check", "plan"])
def test_output_for_machines_has_no_next_line(stillhouse, study, command):
    assert stillhouse(command, study, "--json").err == ""


def test_results_lead_to_commands_that_exist(study, tmp_path):
    words = ["run", str(study), *SET, "--workers", "2", "--store", "s", "--random-weights", "--images-changed"]
    arguments = parser().parse_args([*words, "--trust-config"])
    plan = plan_file(study, store=tmp_path / "store")
    found = [shlex.split(command)[1:] for command in commands_with_results(plan, [result(0.4)], arguments)]
    assert [words[0] for words in found] == ["dashboard", "export", "report"]
    for one in found[1:]:
        again = parser().parse_args(one)
        assert (again.study, again.workers, again.store) == (str(study), 2, "s")
        assert again.sets[:2] == list(SET[1::2])
        assert again.random_weights
        assert again.trust_config
    assert parser().parse_args(found[0]).store == "s"
    [only] = commands_with_results(plan, [result(status="failed", metrics={})], arguments)
    assert shlex.split(only)[1] == "run"


def history(trial: PlannedTrial, *aps: float) -> None:
    """Leave the records of a trial that took an hour each."""
    trial.directory.mkdir(parents=True, exist_ok=True)
    records = [Record(n, n, {SELECTION_METRIC: ap}, {"time/train_s": 3600.0}) for n, ap in enumerate(aps, start=1)]
    (trial.directory / HISTORY).write_text(to_lines(records))


def after(answer: Answer) -> list[list[str]]:
    """Return the words of all next commands."""
    lines = answer.err.splitlines()
    begin = next((at for at, line in enumerate(lines) if line.startswith("next:")), len(lines))
    return [shlex.split(line.removeprefix("next:"))[1:] for line in lines[begin:]]


@pytest.mark.parametrize(
    ("budget", "said", "larger"),
    [
        ("search.max_gpu_hours=1.5", "2 of 1.5 are spent; a larger value", "search.max_gpu_hours=4"),
        ("search.stop_when={metric: coco/bbox_mAP, at_least: 0.2}", "at least 0.2; a higher goal", "search.stop_when=null"),
    ],
)  # fmt: skip
def test_a_spent_budget_leads_to_a_larger_one(stillhouse, study, tmp_path, budget, said, larger):
    store = ("--store", str(tmp_path / "store"))
    options = ("--set", "search.seeds=[0]", "--set", "scaling.workers=1", "--set", budget)
    history(plan_file(study, *options[1::2], store=tmp_path / "store").students[0], 0.1, 0.3)
    key = budget.partition("=")[0]
    for verb in ("plan", "compare"):
        answer = stillhouse(verb, study, *options, *store)
        [line] = [line for line in answer.err.splitlines() if line.startswith("budget:")]
        assert line.startswith(f"budget:  --set {key}: ")
        assert said in line
        [words] = after(answer)
        assert words == ["run", str(study), *options[:4], "--set", larger, *store]
        assert following(stillhouse("plan", *words[1:]))[0] == "run"


def test_a_budget_is_told_with_its_place_in_the_study(stillhouse, tmp_path):
    study = write(tmp_path, VALID.replace("  seeds: [0, 1]\n", "  seeds: [0, 1]\n  max_gpu_hours: 0.5\n"))
    options = ("--set", "scaling.workers=1", "--store", tmp_path / "store")
    history(plan_file(study, "scaling.workers=1", store=tmp_path / "store").students[0], 0.1)
    answer = stillhouse("plan", study, *options)
    line = VALID[: VALID.index("scaling:")].count("\n") + 1
    assert f"budget:  {study}:{line}: search.max_gpu_hours: 1 of 0.5 are spent" in answer.err


def test_paused_trials_lead_to_resume_where_nothing_else_is_left(stillhouse, study, tmp_path):
    options = ("--set", "search.seeds=[0]", "--set", "scaling.workers=1", "--store", str(tmp_path / "store"))
    plan = plan_file(study, *options[1:4:2], store=tmp_path / "store")
    *others, last = plan.trials
    history(last, 0.1)
    write_request(last.directory, Request.PAUSE)
    assert [words[0] for words in after(stillhouse("plan", study, *options))] == ["run"]
    for trial in others:
        trial.directory.mkdir(parents=True)
        write_outcome(trial.directory, Outcome("stopped"))
    for verb in ("plan", "compare"):
        answer = stillhouse(verb, study, *options)
        assert f"paused:  {last.id}; stillhouse resume" in answer.err
        assert after(answer) == [["resume", str(study), *options, "--trial", last.id], ["run", str(study), *options]]
        assert parser().parse_args(after(answer)[0]).trial == last.id
    write_request(last.directory, Request.RESUME)
    write_outcome(
        last.directory, Outcome("stopped")
    )  # nothing is left to train, and nothing can be exported as the best
    assert [words[0] for words in after(stillhouse("compare", study, *options))] == ["dashboard", "report"]
    assert "1 stopped): name a trial by its id" in stillhouse("export", study, *options, "--to", tmp_path / "out").err


def test_a_trial_that_was_asked_to_go_on_leads_to_a_run_also_where_there_are_results(stillhouse, study, tmp_path):
    options = ("--set", "search.seeds=[0]", "--set", "scaling.workers=1", "--store", str(tmp_path / "store"))
    last = plan_file(study, *options[1:4:2], store=tmp_path / "store").trials[-1]
    history(last, 0.1)
    write_request(last.directory, Request.RESUME)
    plan = plan_file(study, *options[1:4:2], store=tmp_path / "store")
    arguments = parser().parse_args(["run", str(study), "--share", *options])
    first, *rest = commands_with_results(plan, [result(0.4)], arguments)
    assert shlex.split(first)[1:] == ["run", str(study), *options, "--share"]
    assert [shlex.split(command)[1] for command in rest] == ["dashboard", "export", "report"]
    said = f"asked:   {last.id} to go on; unless a run that is in progress starts it, the next run does"
    assert said in stillhouse("plan", study, *options).err


def test_beside_jobs_that_share_the_store_the_next_run_shares_it_too(stillhouse, study, tmp_path):
    options = ("--set", "scaling.workers=1", "--store", str(tmp_path / "store"))
    store = Store(tmp_path / "store")
    store.prepare()
    with store.shared_run():
        assert following(stillhouse("plan", study, *options)) == ["run", str(study), *options, "--share"]
        ends_by_results = ("--set", "search.max_hours=1")  # so one run has to train all of it
        assert "--share" not in following(stillhouse("plan", study, *ends_by_results, *options))
    assert following(stillhouse("plan", study, *options)) == ["run", str(study), *options]


def test_later_commands_name_the_images_that_a_run_took_as_new():
    given = Namespace(study="s.yaml", sets=["a=1"], store=None)
    assert command_again(given, "compare", digest="12ab") == (
        "stillhouse compare s.yaml --set a=1 --set dataset.images_digest=12ab"
    )


def test_a_report_names_the_store_of_this_shell(monkeypatch):
    monkeypatch.setenv("STILLHOUSE_STORE", "/data/store")
    given = Namespace(study="s.yaml", sets=[], store=None)
    assert repeating_command(given) == "stillhouse run s.yaml --store /data/store"
    assert command_again(given, "run") == "stillhouse run s.yaml"
    assert re.search(r"--store", command_again(given, "check")) is None
