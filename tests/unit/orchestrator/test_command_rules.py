"""Small rules of commands at their edges: numbers on the command line, places, sizes, exit codes and what is said."""

import argparse
import json
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.commands.clean import size
from orchestrator.commands.common import positive, seconds, worker_count
from orchestrator.commands.init import _relative, name_of
from orchestrator.commands.submission import print_result, require_study
from orchestrator.commands.trial_request import is_elsewhere
from orchestrator.core.errors import UserError
from orchestrator.reports.fitting import TableColumn, fit
from orchestrator.study.compatibility import detectors
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission, SubmissionResult
from tests.unit.orchestrator.command import runner
from trainers.schema.plugins import BrokenPlugin


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("0.5", 0.5), ("1e3", 1000.0)])
def test_seconds_are_none_or_more(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["-0.1", "inf", "nan", "x", ""])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=rf"must be 0 or more seconds, got {text}"):
        seconds(text)


def test_whole_numbers_begin_at_one_and_a_range_of_workers_is_the_studys_to_give():
    assert (positive("1"), worker_count("12")) == (1, 12)
    for text, told in (
        ("0", "must be at least 1, got 0"),
        ("-2", "must be at least 1, got -2"),
        ("1.5", "must be a whole number, got 1.5"),
    ):
        with pytest.raises(argparse.ArgumentTypeError, match=told):
            positive(text)
    with pytest.raises(argparse.ArgumentTypeError, match="for a range --set"):
        worker_count("1-2")
    with pytest.raises(argparse.ArgumentTypeError, match=r"got -2$"):
        worker_count("-2")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.0 MiB"), (2**30 - 1, "1024.0 MiB"), (2**30, "1.0 GiB"), (5 * 2**29, "2.5 GiB"), (3 * 2**19, "1.5 MiB")],
)
def test_sizes_are_written_in_mebibytes_up_to_a_gibibyte(count, text):
    assert size(count) == text


def test_a_study_names_its_folder_relative_to_itself_where_that_is_near(tmp_path):
    root = tmp_path / "a" / "b" / "data"
    root.mkdir(parents=True)
    assert _relative(root, tmp_path / "a" / "b" / "study.yaml") == "data"
    assert _relative(root, root / "study.yaml") == "."
    (tmp_path / "a" / "b" / "beside").mkdir()
    assert _relative(root, tmp_path / "a" / "b" / "beside" / "study.yaml") == "../data"
    (tmp_path / "a" / "c" / "d").mkdir(parents=True)
    assert _relative(root, tmp_path / "a" / "c" / "d" / "study.yaml") == str(root)


@pytest.mark.parametrize(
    ("folder", "name"), [("cats & dogs", "cats-dogs"), ("--.x.--", "x"), ("ä", "study"), ("a" * 120, "a" * 100)]
)
def test_a_study_is_named_after_its_folder_in_characters_that_a_name_may_have(folder, name, tmp_path):
    assert name_of(tmp_path / folder) == name


@pytest.mark.parametrize(
    ("state", "new", "said"),
    [
        ("queued", True, "id: queued tiny: full; stillhouse logs -f id follows it"),
        ("submitted", True, "id: submitted tiny; stillhouse logs -f id follows it"),
        ("running", False, "id: nothing to start, it is running (full)"),
        ("queued", False, "id: nothing to start, it is queued (full)"),
    ],
)
def test_a_submission_says_whether_it_waits_has_begun_or_was_there(state, new, said, capsys):
    result = SubmissionResult(Submission("id", "key", "tiny", SubmissionState(state), "full", 1), new=new)
    print_result(result, as_json=False)
    assert capsys.readouterr().out == f"{said}\n"
    print_result(result, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["new"], found["state"], found["reason"]) == (new, state, "full")


def test_a_request_about_a_trial_needs_the_file_of_its_study(tmp_path):
    (tmp_path / "study.yaml").touch()
    assert require_study(str(tmp_path / "study.yaml")) == str(tmp_path / "study.yaml")
    with pytest.raises(UserError, match="is the id of a submission"):
        require_study("stillhouse-0123456789ab-1")
    with pytest.raises(UserError, match="neither a study's file nor the id"):
        require_study(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("given", "elsewhere"),
    [
        ({}, False),
        ({"STILLHOUSE_URL": "u"}, True),
        ({"STILLHOUSE_URL": "u", "store": "here"}, False),
        ({"STILLHOUSE_URL": "u", "STILLHOUSE_STORE": "here"}, False),
        ({"STILLHOUSE_URL": "u", "address": "a", "store": "here"}, False),
        ({"STILLHOUSE_URL": "u", "address": "a", "store": "there"}, True),
        ({"address": "a", "store": "there"}, True),
        ({"RAY_API_SERVER_ADDRESS": "a", "store": "there"}, True),
        ({"RAY_API_SERVER_ADDRESS": "a", "store": "here"}, False),
        ({"store": "there"}, False),
    ],
)
def test_a_trial_is_elsewhere_where_its_store_is_not_seen_from_here(given, elsewhere, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    places = {
        "here": str(tmp_path / "here"),
        "there": str(tmp_path / "there"),
        "u": "http://host",
        "a": "http://head:8265",
    }
    for name in ("STILLHOUSE_URL", "STILLHOUSE_STORE", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
        if name in given:
            monkeypatch.setenv(name, places[given[name]])
    monkeypatch.chdir(tmp_path)
    arguments = argparse.Namespace(
        store=places.get(given.get("store", "")), address=places.get(given.get("address", ""))
    )
    assert is_elsewhere(arguments) is elsewhere


@pytest.mark.parametrize("error", [BrokenPlugin("a package is broken"), UserError("a package is broken")])
def test_a_broken_package_is_one_sentence_and_wrong_input(error, monkeypatch, capsys):
    def fail(argv: list[str]) -> None:
        raise error

    monkeypatch.setattr(cli, "parsed", fail)
    assert cli.main(["check", "x"]) == 2
    assert capsys.readouterr().err.strip().endswith("a package is broken")


def test_the_script_of_bash_completes_studies_of_both_endings_and_folders(capsys):
    text = runner(capsys)("completion", "bash").out
    assert "compgen -f -X '!*.@(yaml|yml)'" in text
    assert "_stillhouse_studies" in text
    assert "_files -g '*.(yaml|yml)'" in runner(capsys)("completion", "zsh").out


def test_a_narrow_terminal_leaves_out_the_terms_of_methods_before_detectors(monkeypatch):
    tables: list[tuple[list[TableColumn], list[list[str]]]] = []
    monkeypatch.setattr("orchestrator.reports.terminal_table.print_table", lambda *table: tables.append(table))
    cli.main(["methods"])
    [(columns, rows)] = tables
    gone: list[str] = []
    for width in range(200, 10, -1):
        gone += [title for title in fit(columns, rows, width).left_out if title not in gone]
    assert [column.title for column in columns] == ["method", "terms", *detectors()]
    assert gone == ["terms", *reversed(detectors())]


@pytest.mark.parametrize("command", ["pause", "retry"])
def test_commands_about_one_trial_need_it(command, capsys):
    answer = runner(capsys)(command, "study.yaml")
    assert answer.code == 2
    assert "the following arguments are required: --trial" in answer.err


def test_clean_needs_a_store(capsys, tmp_path):
    answer = runner(capsys)("clean", "--store", tmp_path / "none")
    assert (answer.code, "there is no store at" in answer.err) == (2, True)
    assert not Path(tmp_path / "none").exists()
