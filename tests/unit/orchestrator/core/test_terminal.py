"""Colours stand where a terminal shows them, by the same rules for words and for progress bars."""

import io
import itertools
import os

import pytest
from rich.console import Console

from orchestrator.core.findings import Finding, print_findings
from orchestrator.core.terminal import NARROWEST, USUAL, _size, has_colours, painted, width_of
from tests.unit.orchestrator.reports.pretended import PretendedTerminal

VARIABLES = ("NO_COLOR", "FORCE_COLOR", "TERM", "COLORTERM", "COLUMNS")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize("stream", [io.StringIO(), PretendedTerminal()], ids=["pipe", "terminal"])
@pytest.mark.parametrize(
    ("no", "force", "term"),
    itertools.product((None, "", "1"), (None, "", "1"), ("xterm", "dumb", "unknown", "")),
    ids=str,
)
def test_words_have_colours_where_bars_have_them(no, force, term, stream, monkeypatch):
    for name, value in (("NO_COLOR", no), ("FORCE_COLOR", force), ("TERM", term)):
        if value is not None:
            monkeypatch.setenv(name, value)
    bars = Console(file=stream)
    assert has_colours(stream) == (bars.color_system is not None and not bars.no_color)


def test_only_states_are_painted_and_only_as_whole_words():
    stream = PretendedTerminal()
    assert painted("2 failed, 1 finished", stream) == "2 \x1b[31mfailed\x1b[0m, 1 \x1b[32mfinished\x1b[0m"
    assert painted("unfailed failed-run bckd alpha1=0.5", stream) == "unfailed failed-run bckd alpha1=0.5"
    assert painted("failed", io.StringIO()) == "failed"


def test_the_place_of_an_error_and_the_word_of_a_warning_have_colours():
    found = [Finding(level, "s.yaml:3: student", "is odd") for level in ("error", "warning", "missing", "note")]
    screen, pipe = PretendedTerminal(), io.StringIO()
    print_findings(found, screen)
    print_findings(found, pipe)
    assert pipe.getvalue() == "".join(f"{one}\n" for one in found)
    assert screen.getvalue().splitlines() == [
        "\x1b[31ms.yaml:3: student\x1b[0m: is odd",
        "s.yaml:3: student: \x1b[33mwarning:\x1b[0m is odd",
        "s.yaml:3: student: \x1b[33mmissing:\x1b[0m is odd",
        "s.yaml:3: student: note: is odd",
    ]


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("0", 80), ("wide", 80), ("", 80)])
def test_a_terminal_that_does_not_know_its_size_has_80_columns(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert width_of(PretendedTerminal()) == width
    assert width_of(io.StringIO()) is None


class Stream(io.StringIO):
    """Stand for a stream whose terminal has a size, or none for a reason."""

    def __init__(self, answer: int | Exception) -> None:
        super().__init__()
        self.answer = answer

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "width"),
    [
        (NARROWEST, NARROWEST),
        (NARROWEST - 1, USUAL),
        (0, USUAL),
        (131, 131),
        (OSError("no terminal"), USUAL),
        (ValueError("closed"), USUAL),
    ],
)
def test_a_terminal_is_as_wide_as_it_says_unless_that_cannot_be(answer, width, monkeypatch):
    monkeypatch.setattr("os.get_terminal_size", lambda columns: os.terminal_size((columns, 24)))
    assert _size(Stream(answer)) == width
