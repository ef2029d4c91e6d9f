"""Commands answer people in tables and machines in JSON, and refuse wrong input in one sentence."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.cli import COMMANDS, GROUPS, parser
from orchestrator.commands.examples import EXAMPLES
from orchestrator.commands.unknown import COMMANDS as OTHER_COMMANDS
from orchestrator.core.errors import UserError
from orchestrator.execution.prepare import require_runnable
from orchestrator.plan.machine import Machine
from orchestrator.study.load import load_study
from orchestrator.study.shipped import shipped_file
from orchestrator.submit.identity import key_in
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import PIPELINES, STUDIES, plan_file, plan_text, teacher_of
from tests.unit.orchestrator.study_text import VALID, edit, write
from trainers.schema.record import BEST, CONFIG

README = Path(__file__).parents[3] / "README.md"
PAPER, QUICKSTART = STUDIES / "gfl_r50_from_r101_coco.yaml", STUDIES / "quickstart.yaml"
NO_RESULTS = "README.md and provenance.json have no results:"
RUN_FIRST = "run the study first, or name another --store"
SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write(tmp_path, VALID)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the default store and the user's settings out of the tests."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("STILLHOUSE_STORE", "STILLHOUSE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))


# help ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(stillhouse, command):
    answer = stillhouse(command, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"usage: stillhouse {command}")
    assert "exit codes: 0 done" in answer.out


def test_the_command_lists_its_commands_in_groups_and_its_version(stillhouse):
    help_text = stillhouse("--help").out
    listed = dict(re.findall(r"^  ([a-z]+)  +([A-Z].*)$", help_text, re.MULTILINE))
    assert tuple(listed) == COMMANDS
    assert re.findall(r"^([a-z]+):$", help_text, re.MULTILINE)[:4] == list(GROUPS)
    assert re.fullmatch(r"stillhouse \S+\n", stillhouse("--version").out)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_keeps_to_the_terminal_and_its_words_whole(stillhouse, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", "1000")
    words = stillhouse(*filter(None, [command]), "--help").out.split()
    monkeypatch.setenv("COLUMNS", str(columns))
    help_text = stillhouse(*filter(None, [command]), "--help").out
    copied = [line for line in help_text.splitlines() if line.startswith("  stillhouse ")]
    usage = help_text.split("\n\n")[0].splitlines() if columns < 80 else []  # argparse keeps "[--a | --b]" on one line
    assert all(len(line) <= columns for line in help_text.splitlines() if line not in (*copied, *usage))
    assert all(len(line) <= 80 for line in copied)
    assert "".join(help_text.split()) == "".join(words)  # argparse breaks lines at hyphens, too


def test_without_a_command_the_help_is_printed_and_a_script_fails(stillhouse):
    answer = stillhouse()
    assert (answer.code, answer.err) == (2, "")
    assert answer.out == stillhouse("--help").out


EXAMPLE_LINES = [line for lines in EXAMPLES.values() for line in lines]


@pytest.mark.parametrize("line", EXAMPLE_LINES)
def test_each_example_is_a_command_line_of_a_study_that_init_writes(line):
    program, *words = shlex.split(line.partition(" > ")[0])
    arguments = parser().parse_args(words)
    assert program == "stillhouse"
    assert line in EXAMPLES[arguments.command]
    written_by_init = parser().parse_args(["init", "photos"]).to
    given = getattr(arguments, "study", None) or getattr(arguments, "name", None)
    if given and arguments.command not in ("init", "cluster"):
        assert given == written_by_init or key_in(given) or shipped_file(given).is_file()


# The options by which one example of a command differs from another: a user finds each of these ways in its help.
SHOWN = {
    "init": "none, --to --name", "check": "none, --set", "data": "none, --decode", "plan": "none, --set --json, --on",
    "run": "none, none, --set --set, --address --store, --share --store, --trials", "sync": "none, --store",
    "compare": "none, --json", "report": "--format --output, --format", "figure": "--output, --kind --output",
    "predict": "none, --trials --images", "verify": "none, --retrain", "export": "--to, --trial --to --force",
    "dashboard": "none, --study", "reproduce": "--plan, --fidelity, --seeds", "submit": "--address, --store --mirror",
    "status": "--store, --json", "logs": "--follow", "stop": "none, --trial", "resume": "--store, --trial",
    "pause": "--trial", "retry": "--trial", "list": "--store", "serve": "--address --store", "cluster": "--output, none",
    "methods": "none", "schema": "--output", "completion": "none, none", "clean": "none, --only-given --yes",
    "doctor": "none, --clean",
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_each_way_to_use_it(command, stillhouse):
    found = [re.findall(r" (--[a-z-]+)", line) for line in EXAMPLES[command]]
    assert ", ".join(" ".join(options) or "none" for options in found) == SHOWN[command]
    help_text = stillhouse(command, "--help").out
    assert all(f"  {line}\n" in help_text for line in EXAMPLES[command])


def test_examples_of_settings_are_right(tmp_path):
    for line in EXAMPLE_LINES:
        sets = getattr(parser().parse_args(shlex.split(line.partition(" > ")[0])[1:]), "sets", [])
        load_study(write(tmp_path, edit("  space:\n    method.alpha2: [2.0, 4.0]\n", "")), sets)


def test_every_command_has_an_example():
    assert EXAMPLES.keys() == set(COMMANDS)
    assert all(EXAMPLES.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command):
    assert f"stillhouse {command}" in README.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("launch", "x.yaml"), "'launch' is not a command: did you mean stillhouse submit?"),
        (("cmopare", "x.yaml"), "'cmopare' is not a command: did you mean stillhouse compare?"),
        (("train", "x.yaml"), "did you mean stillhouse run?"),
        (("eval", "x.yaml"), "did you mean stillhouse compare?"),
        (("tune", "x.yaml"), "did you mean stillhouse run?"),
        (("study.yaml",), "'study.yaml' is not a command: stillhouse --help lists the commands"),
        (("zzz",), "'zzz' is not a command: stillhouse --help lists the commands"),
        (("plan",), "the following arguments are required: STUDY"),
        (("dashboard", "export", "page"), "page: browsers open the page by its ending: write page.html"),
        (("plan", "x.yaml", "--wrokers", "2"), "stillhouse: plan: unknown option --wrokers (did you mean --workers?)"),
        (("run", "x.yaml", "--seed", "3"), "unknown option --seed: write --set 'search.seeds=[3]'"),
        (("run", "--seed", "3", "x.yaml"), "unknown option --seed: write --set 'search.seeds=[3]'"),
        (("run", "x.yaml", "--epochs=7"), "unknown option --epochs: write --set schedule.epochs=7"),
        (("run", "x.yaml", "--lr", "1e-3"), "unknown option --lr: write --set schedule.lr=0.001"),
        (("run", "x.yaml", "--img-size", "320"), "write --set 'dataset.image_size=[320, 320]'"),
        (("run", "x.yaml", "--alpha1", "2"), "write --set method.alpha1=2"),
        (("run", "x.yaml", "--alpha1"), "write --set method.alpha1=VALUE"),
        (("status", "x.yaml", "--fidelity", "short"), "unknown option --fidelity: write --set fidelity=short"),
        (("report", "x.yaml", "--fidelity=short"), "unknown option --fidelity: write --set fidelity=short"),
        (("run", "x.yaml", "--name", "other"), "unknown option --name: write --set name=other"),
        (("run", "x.yaml", "--device", "cpu"), "scaling.gpus_per_worker=0 trains on the CPU"),
        (("run", "x.yaml", "--gpus", "2"), "write --set scaling.gpus_per_worker=2"),
        (("run", "x.yaml", "--config", "y.yaml"), "name the study's file without an option: stillhouse run study.yaml"),
        (("run", "x.yaml", "--work-dir", "y"), "--store DIR names the folder of results"),
        (("run", "x.yaml", "--auto-resume"), "unknown option --auto-resume (the same command resumes by itself)"),
        (("run", "x.yaml", "y.yaml"), "stillhouse: run: one argument too many: y.yaml"),
        (("doctor", "--lr", "1"), "stillhouse: doctor: unknown option --lr"),
        (("doctor", "--qqq"), "stillhouse: doctor: unknown option --qqq"),
        (("plan", "x.yaml", "--workers", "0"), "must be at least 1, got 0"),
        (("plan", "x.yaml", "--workers", "two"), "must be a whole number, got two"),
        (
            ("plan", "x.yaml", "--workers", "1-2"),
            "got 1-2; for a range --set 'scaling.workers={min: 1, max: 2}'",
        ),
        (
            ("submit", "x.yaml", "--workers", "{min: 1, max: 2}"),
            "got {min: 1, max: 2}; for a range --set 'scaling.workers={min: 1, max: 2}'",
        ),
        (("export", "x.yaml"), "the following arguments are required: --to"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(stillhouse, arguments, says):
    answer = stillhouse(*arguments)
    assert answer.code == 2
    assert says in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "x.yaml", "--to", ""), "export: --to is empty: give it a value, or leave it out"),
        (("plan", "x.yaml", "--store="), "plan: --store is empty: give it a value, or leave it out"),
        (("verify", ""), "verify: argument 1 is empty: give it a value, or leave it out"),
        (
            ("serve", "--mirror", "ftp://x"),
            "ftp://x is not a storage address: it must begin with file://, s3://, gs://",
        ),
        (
            ("submit", "x.yaml", "--mirror=ftp://a:b@x"),
            "ftp://***@x is not a storage address: it must begin with file://",
        ),
    ],
)
def test_values_that_no_command_can_use_are_refused_before_anything(stillhouse, words, said):
    answer = stillhouse(*words)
    assert answer.code == 2
    assert answer.err.startswith(f"stillhouse: {said}")
    assert answer.err.count("\n") == 1


def test_a_mirror_of_the_environment_is_held_to_the_same(stillhouse, monkeypatch):
    monkeypatch.setenv("STILLHOUSE_MIRROR", "ftp://x")
    assert "ftp://x is not a storage address" in stillhouse("serve").err
    monkeypatch.setenv("STILLHOUSE_MIRROR", "")
    assert "storage address" not in stillhouse("serve").err


def test_the_reference_shows_the_answer_to_an_option_of_another_tool(stillhouse):
    text = (README.parent / "docs" / "commands.md").read_text()
    [[line, shown]] = re.findall(r"^\$ stillhouse (run .* --epochs .*)\n(stillhouse: .*\n)", text, re.MULTILINE)
    assert stillhouse(*shlex.split(line)).err == shown


@pytest.mark.parametrize("word", OTHER_COMMANDS)
def test_words_of_other_tools_lead_to_commands_that_exist(stillhouse, word):
    assert word not in COMMANDS
    answer = stillhouse(word)
    [meant] = re.findall(r"did you mean stillhouse (\w+)\?", answer.err)
    assert answer.code == 2
    assert meant in COMMANDS


# check -----------------------------------------------------------------------------------------------------------------


def test_a_sound_study_is_ok(stillhouse, study):
    assert stillhouse("check", study) == Answer(0, f"{study}: ok\n", f"next:    stillhouse plan {study}\n")
    assert stillhouse("check", study, "--json").json == {"ok": True, "findings": []}


def test_what_is_missing_here_does_not_make_a_study_wrong(stillhouse):
    answer = stillhouse("check", PAPER)
    assert answer.code == 0
    assert [line.partition("dataset.root: ")[2] for line in answer.complaints] == [
        "missing: environment variable STILLHOUSE_DATA is not set"
    ]
    content = stillhouse("check", PAPER, "--json").json
    assert (content["ok"], [found["level"] for found in content["findings"]]) == (True, ["missing"])


def test_all_mistakes_go_to_stderr_one_a_line(stillhouse, tmp_path):
    path = write(tmp_path, edit("alpha1: 1.0", "alhpa1: 1.0").replace("epochs: 12", "epochs: -1"))
    answer = stillhouse("check", path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.complaints == [
        f"{path}:13: method.alhpa1: unknown key (did you mean alpha1?)",
        f"{path}:15: schedule.epochs: must be at least 1, got -1",
    ]


def test_mistakes_as_json_go_to_stdout(stillhouse, tmp_path):
    path = write(tmp_path, edit("alpha1: 1.0", "alhpa1: 1.0"))
    answer = stillhouse("check", path, "--json")
    assert (answer.code, answer.err) == (2, "")
    assert answer.json == {
        "ok": False,
        "findings": [
            {
                "level": "error",
                "where": f"{path}:13: method.alhpa1",
                "message": "unknown key (did you mean alpha1?)",
            }
        ],
    }


@pytest.mark.parametrize("command", ["check", "plan", "run", "compare"])
def test_every_command_refuses_a_broken_study_alike(stillhouse, tmp_path, command):
    path = write(tmp_path, edit("alpha1: 1.0", "alhpa1: 1.0"))
    answer = stillhouse(command, path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.complaints == [f"{path}:13: method.alhpa1: unknown key (did you mean alpha1?)"]
    assert stillhouse(command, tmp_path / "none.yaml").code == 2
    assert stillhouse(command, tmp_path).code == 2


# plan ------------------------------------------------------------------------------------------------------------------


def test_the_plan_as_json(stillhouse, study, tmp_path):
    answer = stillhouse("plan", study, "--json", "--store", tmp_path / "store", "--set", "scaling.max_concurrent=1")
    assert answer.code == 0
    assert set(answer.json) == {
        "study",
        "fingerprint",
        "trials",
        "totals",
        "cohorts",
        "forecast",
        "memory",
        "starts",
        "findings",
    }
    assert answer.json["study"] == "demo"
    assert re.fullmatch("[0-9a-f]{64}", answer.json["fingerprint"])
    assert {frozenset(trial) for trial in answer.json["trials"]} == {
        frozenset({"id", "role", "method", "params", "seed", "status", "resources", "estimate", "prefix", "cost"})
    }
    assert answer.json["trials"][0] == {
        "id": teacher_of(plan_file(study)).id,
        "role": "teacher",
        "method": "none",
        "params": {},
        "seed": 0,
        "status": "new",
        "resources": {
            "workers": 2,
            "least_workers": 2,
            "cpus_per_worker": 1,
            "gpus_per_worker": answer.json["trials"][0]["resources"]["gpus_per_worker"],
        },
        "estimate": {"epochs": 12, "steps": 12, "seconds": None, "shared": 0},
        "prefix": None,
        "cost": None,
    }
    assert answer.json["trials"][-1]["params"] == {"method.alpha2": 4.0}
    assert not (tmp_path / "store").exists()


def test_the_plan_as_a_table_names_every_trial(stillhouse, tmp_path):
    answer = stillhouse("plan", QUICKSTART, "--store", tmp_path / "store")
    assert answer.code == 0
    plan = plan_file(QUICKSTART, store=tmp_path / "store")
    lines = [line.split() for line in answer.out.splitlines()]
    assert [line[0] for line in lines if line[-1] == "new"] == [trial.id for trial in plan.trials]
    assert ["quickstart", "6", "trials", "fingerprint", plan.fingerprint[:12]] in lines


def test_the_papers_study_is_planned_with_nothing_here(stillhouse):
    answer = stillhouse("plan", PAPER)
    assert (answer.code, answer.err) == (0, "")
    for named in ("STILLHOUSE_DATA is not set", "resnet50-0676ba61.pth", "dd12f847.pth"):
        assert answer.out.count(named) == 1
    assert "evaluate" in answer.out


def test_workers_on_the_command_line_change_resources_only(stillhouse, tmp_path):
    two, eight = (stillhouse("plan", PAPER, "--json", "--workers", workers).json for workers in (2, 8))
    assert [trial["resources"]["workers"] for trial in two["trials"]] == [2, 2, 2]
    assert [trial["id"] for trial in two["trials"]] == [trial["id"] for trial in eight["trials"]]


def test_random_weights_are_announced(stillhouse):
    answer = stillhouse("plan", PAPER, "--random-weights", "--json")
    assert answer.code == 0
    loud = [
        found["where"].rpartition(" ")[2] for found in answer.json["findings"] if "RANDOM WEIGHTS" in found["message"]
    ]
    assert loud == ["student.weights", "teacher.name"]


def test_the_plan_of_wrong_data_is_printed_and_refused(stillhouse, tmp_path):
    root = write_coco(tmp_path / "data", classes=("dog", "cow"))
    path = write(tmp_path, edit(SHAPES, section(root)))
    answer = stillhouse("plan", path)
    assert answer.code == 2
    assert answer.out.count("no box is called cat; the files have cow (4), dog (2)") == 1
    assert stillhouse("plan", path, "--json").json["findings"][0]["level"] == "error"


def test_a_path_that_the_system_refuses_is_one_sentence(stillhouse, tmp_path):
    answer = stillhouse("plan", write(tmp_path, VALID), "--store", tmp_path / ("x" * 300))
    assert answer.code == 1
    assert len(answer.complaints) == 1
    assert "File name too long" in answer.err


# what a run needs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["plain", "data.names", "x.weights-y"])
def test_missing_data_stops_a_run_whatever_the_studys_path(tmp_path, folder):
    (tmp_path / folder).mkdir()
    plan = plan_text(tmp_path / folder, edit(SHAPES, section(tmp_path / "nowhere")))
    with pytest.raises(UserError, match=r"dataset\.root: no such folder: .*nowhere.*: give this before running"):
        require_runnable(plan)


def test_missing_weights_stop_no_run_for_they_are_fetched(tmp_path):
    config = "config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n"
    plan = plan_text(tmp_path, edit(f"{config}  weights: random\n", config))
    assert [finding.where.rpartition(" ")[2] for finding in plan.findings] == ["student.weights"]
    require_runnable(plan)


def test_what_does_not_fit_here_may_fit_a_cluster(tmp_path):
    asking = (tmp_path, VALID, "scaling.cpus_per_worker=16")
    require_runnable(plan_text(*asking, machine=Machine(cpus=64, gpus=0)))
    with pytest.raises(UserError, match="no trial fits on this machine"):
        require_runnable(plan_text(*asking))


# compare and export ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [("compare",), ("export", "--to", "out"), ("export", "--to", "out", "--trial", "best")]
)
@pytest.mark.parametrize("there", [True, False])
def test_there_is_nothing_to_read_before_a_run(stillhouse, study, tmp_path, command, there):
    store = tmp_path / "store"
    if there:
        store.mkdir()
    answer = stillhouse(command[0], study, "--store", store, *command[1:])
    assert (answer.code, answer.out) == (2, "")
    assert answer.complaints == [f"stillhouse: the store {store} holds no results yet: {RUN_FIRST}"]
    assert not (tmp_path / "here" / "out").exists()
    assert not there or list(store.iterdir()) == []


@pytest.fixture
def trained(study: Path) -> str:
    """Leave a finished student's files in the store and return the trial's id."""
    trial = plan_file(study).students[-1]
    trial.directory.mkdir(parents=True)
    (trial.directory / BEST).write_bytes(b"weights")
    (trial.directory / CONFIG).write_text(f"model = dict(type='GFL')\n{PIPELINES}")
    return trial.id


def test_a_student_is_exported_and_never_over_another_without_force(stillhouse, study, trained, tmp_path):
    out = tmp_path / "a" / "b"
    command = ("export", study, "--store", tmp_path / "store", "--trial", trained[:6], "--to", out)
    answer = stillhouse(*command, "--json")
    assert answer.code == 0
    assert answer.json == {
        "trial": trained,
        "config": str(out / "config.py"),
        "checkpoint": str(out / "student.pth"),
        "card": str(out / "README.md"),
        "papers": str(out / "provenance.json"),
        "annotations": {},
        "notes": [f"{NO_RESULTS} the store {tmp_path / 'store'} holds no results yet: {RUN_FIRST}"],
    }
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.py", "provenance.json", "student.pth"]

    (out / "student.pth").write_bytes(b"mine")
    again = stillhouse(*command)
    assert (again.code, again.out) == (2, "")
    present = " and ".join(str(out / name) for name in ("config.py", "student.pth", "README.md", "provenance.json"))
    assert again.complaints == [f"stillhouse: {present} exist already: pass --force to replace them"]
    assert (out / "student.pth").read_bytes() == b"mine"

    assert stillhouse(*command, "--force").code == 0
    assert (out / "student.pth").read_bytes() == b"weights"
    assert "model = dict(type='GFL')\n" in (out / "config.py").read_text()
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.py", "provenance.json", "student.pth"]


def test_one_file_in_the_way_keeps_both_back(stillhouse, study, trained, tmp_path):
    (tmp_path / "student.pth").touch()
    answer = stillhouse("export", study, "--store", tmp_path / "store", "--trial", trained, "--to", tmp_path)
    assert answer.code == 2
    assert not (tmp_path / "config.py").exists()


@pytest.mark.parametrize(
    ("wanted", "says"), [("fff", "no trial begins with fff; there are"), ("", "the id of a trial is empty")]
)
def test_a_trial_must_be_named_unmistakably(stillhouse, study, trained, tmp_path, wanted, says):
    answer = stillhouse("export", study, "--store", tmp_path / "store", "--trial", wanted, "--to", tmp_path / "out")
    assert answer.code == 2
    assert says in answer.err
    assert (trained in answer.err) is (wanted != "")
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_one_sentence(stillhouse, study, trained, tmp_path):
    (tmp_path / "out").touch()
    answer = stillhouse("export", study, "--store", tmp_path / "store", "--trial", trained, "--to", tmp_path / "out")
    assert answer.code == 1
    assert answer.complaints == [f"stillhouse: cannot write to {tmp_path / 'out'}: File exists"]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--workers", "0", "must be at least 1, got 0"),
        ("--tracker-wait", "long", "must be 0 or more seconds, got long"),
    ],
)
def test_a_number_that_is_none_is_told_in_words(stillhouse, option, value, says):
    answer = stillhouse("run", "study.yaml", option, value)
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == f"stillhouse run: error: argument {option}: {says}"
