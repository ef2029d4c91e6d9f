"""In a terminal of any width, tables have whole words and the headline, and a run says where it stands."""

import functools
import re
from pathlib import Path

import pytest

from orchestrator.reports.table import ELSEWHERE as RESULTS_ELSEWHERE
from orchestrator.reports.terminal_table import ELSEWHERE
from tests.e2e.conftest import Ran
from tests.e2e.stillhouse import Answer, stillhouse
from tests.e2e.terminal import Shown, in_terminal

WIDTHS = (60, 80, 120)
OF_OTHERS = {"leaks", "ray"}  # what doctor says of other processes of the machine


@functools.cache
def into_pipe(*words: object) -> Answer:
    """Return the output of a command without a terminal, the same for all widths."""
    return stillhouse(*words)


def pieces(text: str) -> set[str]:
    """Return the parts of a text that may stand on lines of their own: words, and parts of them that end in ``=``."""
    return {part for word in text.split() for part in (word, *re.findall(r"[^=]*=+|[^=]+", word))}


def require_whole_words(shown: Shown, piped: Answer, width: int) -> None:
    """Require that each word on the terminal is a word that a pipe gets, and that lines fit unless they are commands."""
    known = pieces(f"{piped.out} {piped.err} left out here: see {RESULTS_ELSEWHERE} {ELSEWHERE}")
    known |= {f"{title}{mark}" for title in known for mark in ",;"}
    said = [line for line in shown.lines if not re.match(r"(next:|MLflow:|time:| {9}stillhouse )", line)]
    assert [word for line in said for word in line.split() if word not in known] == []
    assert [line for line in said if len(line) > width and len(line.split()) > 1] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_table_of_results_keeps_names_and_ap(ran: Ran, command: str, width: int) -> None:
    words = (command, ran.study, "--store", ran.store)
    shown, piped = in_terminal(width, *words), into_pipe(*words)
    assert (shown.code, piped.code) == (0, 0)
    require_whole_words(shown, piped, width)
    [header] = [line for line in shown.lines if line.startswith("trial ")]
    assert "AP" in header.split()
    fits = max(map(len, piped.out.splitlines())) <= width
    assert ("APs" in header.split()) == fits
    assert any(line.startswith("left out here: ") for line in shown.lines) == (not fits)
    whole = [re.split(r" {2,}", line) for line in piped.out.splitlines()]
    for row in whole[1:]:
        [line] = [line for line in shown.lines if line.startswith(f"{row[0]} ")]
        assert row[whole[0].index("AP")] in line.split()
    assert "\x1b[32mfinished\x1b[0m" in shown.raw
    assert "\x1b" not in piped.out + piped.err


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", ["plan", "methods"])
def test_other_tables_keep_whole_words(ran: Ran, command: str, width: int) -> None:
    words = ("plan", ran.study, "--store", ran.store) if command == "plan" else (command,)
    shown, piped = in_terminal(width, *words), into_pipe(*words)
    require_whole_words(shown, piped, width)
    assert shown.code == piped.code


def test_doctor_keeps_whole_words(tmp_path: Path) -> None:
    """Messages count processes and memory, and the state of some checks goes by them; other tests change both."""
    doctor = ("doctor", "--store", tmp_path / "s")
    shown, piped = in_terminal(60, *doctor), into_pipe(*doctor)
    checks = {tuple(line.split()[:2]) for line in piped.out.splitlines() if line.split()[1] not in OF_OTHERS}
    assert checks <= {tuple(line.split()[:2]) for line in shown.lines}
    assert [line for line in shown.lines if len(line) > 60 and len(line.split()) > 3] == []


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_colours_can_be_turned_off(ran: Ran, variables: dict[str, str]) -> None:
    assert "\x1b" not in in_terminal(80, "compare", ran.study, "--store", ran.store, **variables).raw


def test_a_run_says_what_it_starts_what_ended_and_what_comes_next(tiny_study: Path, tmp_path: Path) -> None:
    shown = in_terminal(80, "run", tiny_study, "--store", tmp_path / "store")
    assert shown.code == 0, shown.raw
    text = "\n".join(shown.lines)
    places = [text.find(word) for word in ("plan:    4 trials (4 new)", "starting Ray", "trial  ")]
    assert places == sorted(places)
    assert places[1] > 0
    ends = re.findall(r"^\w{12} .*?: finished,\s+AP\s+[\d.]+\s+\((\d) of 4\s+trials,", text, re.MULTILINE | re.DOTALL)
    assert sorted(ends) == ["1", "2", "3", "4"]
    assert "epoch 1/" not in text
    assert re.search(r"^gain: .*one seed says\s+nothing: add --set\s+'search.seeds=\[0,1,2\]'", text, re.MULTILINE)
    assert re.search(r"^time: +\d+ (s|min)$", text, re.MULTILINE)
    assert [line.split()[1:3] for line in shown.lines if line.startswith("next:")] == [["stillhouse", "dashboard"]]
