"""A stranger's study gets at no secret of this machine, and speaks to no terminal."""

import json
from pathlib import Path

import pytest

from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.reports.plan_table import print_plan
from orchestrator.study.load import load_study
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.study_text import VALID, edit, findings_of, write

SECRET = "hunter2-hunter2"
COCO = "kind: coco\n  root: {}\n  classes: [x]"


def study(dataset: str) -> str:
    """Return the correct study with other data."""
    return edit("kind: shapes\n  train_images: 8", dataset)


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_TOKEN", "MY_PASSWORD", "DATABASE"])
def test_variable_that_looks_like_a_secret_is_refused_in_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"postgresql://me:{SECRET}@host" if name == "DATABASE" else SECRET)
    [(level, where, message)] = findings_of(write(tmp_path, study(COCO.format(f'"/x/${{{name}}}"'))))
    assert (level, where) == ("error", "study.yaml:4: dataset.root")
    assert name in message
    assert SECRET not in message


def test_secret_named_variable_is_refused_whether_it_is_set_or_not(tmp_path: Path) -> None:
    text = study(COCO.format('"${NO_SUCH_SECRET}"'))
    assert findings_of(write(tmp_path, text))[0][0] == "error"


@pytest.mark.parametrize(
    "base", ["/etc/passwd", "/proc/self/environ", "../{}/secrets.env", "secrets.env", "link.yaml.txt", "."]
)
def test_base_must_be_a_yaml_file(base: str, tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text(f"{SECRET}: 1\n")
    (tmp_path / "link.yaml.txt").symlink_to(tmp_path / "secrets.env")
    path = write(tmp_path, f'base: "{base.format(tmp_path.name)}"\n{VALID}')
    with pytest.raises(StudyErrors) as errors:
        load_study(path)
    assert len(errors.value.findings) == 1
    assert SECRET not in str(errors.value)
    assert "root:" not in str(errors.value)


@pytest.mark.parametrize("split", ["annotations", "images"])
@pytest.mark.parametrize("name", ["/etc/passwd", "../../etc/passwd", "a/../../b", "..", "x" * 300])
def test_files_of_a_dataset_stay_below_its_root(split: str, name: str, tmp_path: Path) -> None:
    files = json.dumps({"annotations": "a.json", "images": "i"} | {split: name})
    found = findings_of(write(tmp_path, study(COCO.format(".") + f"\n  train: {files}")))
    assert ("error", f"study.yaml:6: dataset.train.{split}") in [(level, where) for level, where, _ in found]


def test_file_name_that_no_file_can_have_is_an_error(tmp_path: Path) -> None:
    for name in ("x" * 256, "é" * 128, "x/" * 2100):
        found = findings_of(write(tmp_path, study(COCO.format(name))))
        assert next(level for level, where, _ in found if where.endswith("dataset.root")) == "error"
    assert not [item for item in findings_of(write(tmp_path, study(COCO.format("x" * 255)))) if item[0] == "error"]


ACTING = ['\\e[31m', '\\e]0;owned\\a', '\\r', '\\n', '\\u202e', '\\u2028', '\\x7f', '\\x9b2J', '\\u200b', '\\ufeff', '\\t']  # fmt: skip


@pytest.mark.parametrize("text", ACTING)
@pytest.mark.parametrize(
    "change",
    [
        lambda text: VALID + f'"a{text}b": 1\n',
        lambda text: VALID.replace("kind: bckd", f'kind: "a{text}b"'),
        lambda text: VALID.replace("method.alpha2", f'"a{text}b"'),
        lambda text: VALID.replace(
            "kind: shapes\n  train_images: 8", f'kind: coco\n  root: "a{text}b"\n  classes: [x]'
        ),
        lambda text: VALID.replace(
            "student:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py", f'student:\n  config: "a{text}b"'
        ),
        lambda text: f'base: "a{text}b"\n' + VALID,
    ],
    ids=["key", "kind", "searched", "root", "config", "base"],
)
def test_what_a_terminal_would_act_on_is_escaped(change, text, tmp_path, capsys):
    answer = runner(capsys)("plan", write(tmp_path, change(text)), "--store", tmp_path / "store")
    assert answer.code in (0, 2)
    shown = (answer.out + answer.err).replace("\n", "")
    assert shown.isprintable(), ascii(shown)
    assert "Traceback" not in shown


def test_names_with_markup_can_be_planned(tmp_path, capsys):
    (tmp_path / "a[").mkdir()
    (tmp_path / "a[" / "x].py").touch()
    text = edit("method.alpha2: [2.0, 4.0]", 'student.config: ["a[/x].py", "mmdet::gfl/gfl_r50_fpn_1x_coco.py"]')
    print_plan(make_plan(load_study(write(tmp_path, text), trust_python=True), Store(tmp_path / "store")))
    assert capsys.readouterr().out.startswith("demo  9 trials")


def test_password_in_an_address_is_warned_about_and_never_shown(tmp_path, capsys):
    text = VALID + f"  uri: postgresql://me:{SECRET}@host/db\n"
    for command in ("check", "plan"):
        for form in ((), ("--json",)):
            answer = runner(capsys)(command, write(tmp_path, text), *form)
            assert answer.code == 0
            assert "holds a password" in answer.out + answer.err
            assert SECRET not in answer.out + answer.err


def test_password_in_a_wrong_address_is_not_shown(tmp_path, capsys):
    answer = runner(capsys)("check", write(tmp_path, VALID + f"  uri: ftp://me:{SECRET}@host/db\n"))
    assert answer.code == 2
    assert SECRET not in answer.out + answer.err


def test_unreadable_name_on_the_command_line_is_no_traceback(tmp_path, capsys):
    path = tmp_path / "stud\udcffy.yaml"
    path.write_text(VALID)
    answer = runner(capsys)("check", path)
    assert answer.code == 0
    assert "stud\\udcffy.yaml: ok" in answer.out


def test_more_mistakes_than_are_shown(tmp_path):
    found = findings_of(write(tmp_path, VALID + "".join(f"k{number}: 1\n" for number in range(5000))))
    assert 50 < len(found) <= 200
    assert {message for _, _, message in found} == {"unknown key"}


def test_database_of_another_program_is_left_alone(tmp_path):
    import sqlite3

    from orchestrator.core.errors import OperationError
    from orchestrator.core.store import require_sound_database

    path = tmp_path / "places.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table bookmarks (id)")
    connection.close()
    with pytest.raises(OperationError, match="other program"):
        require_sound_database(path)
