"""Commands say what comes next, in words that a shell takes and that name the same study, store and options."""

import re
import shlex
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import parser
from orchestrator.commands.repeat import command_again, commands_with_results, repeating_command
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import plan_file
from tests.unit.orchestrator.results.test_results import result
from tests.unit.orchestrator.study_text import VALID, edit, write
from trainers.schema.record import OUTCOME, Outcome, write_outcome

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
