"""Tables fit a terminal with whole words, and give up details in a fixed order."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from orchestrator.reports.fitting import FittedTable, TableColumn, fit, paragraph, wrapped
from orchestrator.reports.table import GIVES_WAY
from tests.examples import examples

AMOUNTS = st.one_of(
    st.just("-"), st.just("nan"), st.floats(0, 100).map("{:.1f}".format),
    st.tuples(st.floats(0, 100), st.floats(0, 9)).map("{0[0]:.1f} ± {0[1]:.1f}".format),
    st.just("44.3 ± 0.9 (2 of 3)"),
)  # fmt: skip
KEYS = st.sampled_from(
    ["alpha1", "alpha2", "schedule.lr", "schedule.warmup.steps", "search", "学習率", "student.width"]
)
VALUES = st.one_of(st.integers(0, 999).map(str), st.floats(0, 1).map("{:.3g}".format), st.sampled_from(["大", "true"]))
NAMES = st.tuples(
    st.sampled_from(["teacher", "none", "bckd", "pkd+bckd", "ld (main)", "教師モデル"]),
    st.lists(st.tuples(KEYS, VALUES).map("=".join), max_size=9),
).map(lambda parts: " ".join((parts[0], *parts[1])))
TITLES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "VOC AP", "VOC AP50", "VOC AP75")
RESULTS = (
    TableColumn("trial", wraps=True),
    TableColumn("seeds", gives_way=3),
    TableColumn("status", wraps=True, states=True, gives_way=2),
    *(TableColumn(title, right=True, gives_way=GIVES_WAY[title]) for title in TITLES),
    TableColumn("vs none", right=True, gives_way=1),
    TableColumn("rank", right=True, gives_way=4),
)
ROWS = st.lists(
    st.tuples(
        NAMES, st.sampled_from(["0", "3 seeds", "2 of 3 seeds"]), st.sampled_from(["finished", "1 failed, 2 finished"]),
        *[AMOUNTS] * len(TITLES), st.sampled_from(["", "+1.7", "-0.2"]), st.sampled_from(["", "1", "12"]),
    ), min_size=1, max_size=6,
)  # fmt: skip


def column(table: FittedTable, title: str) -> list[str]:
    """Return the non-blank cells of a column, line by line, without its title's line."""
    at = [one.title for one in table.columns].index(title)
    return [line[at].strip() for line in table.lines()]


def tokens(text: str) -> list[str]:
    """Return the parts that may stand on different lines."""
    return text.replace("=", "= ").split()


@given(rows=ROWS, width=st.integers(48, 200))
@settings(max_examples=examples(100))
def test_a_result_keeps_whole_words_its_name_and_its_headline_at_any_width(rows: Sequence[Sequence[str]], width: int):
    table = fit(RESULTS, rows, width)
    assert all(cell_len("  ".join(line)) <= width for line in table.lines())
    kept = [one.title for one in table.columns]
    assert {"trial", "AP"} <= set(kept)
    assert set(kept) | set(table.left_out) == {one.title for one in RESULTS}
    names = " ".join(column(table, "trial")).split()
    assert tokens(" ".join(names)) == tokens(" ".join(["trial", *(row[0] for row in rows)]))
    assert [cell for cell in column(table, "AP") if cell] == ["AP", *(row[3] for row in rows)]


@given(rows=ROWS, width=st.integers(48, 200))
@settings(max_examples=examples(60))
def test_details_go_first_and_none_of_them_while_a_less_important_one_stays(rows, width):
    table = fit(RESULTS, rows, width)
    importance = {one.title: one.gives_way for one in RESULTS}
    stays = [importance[one.title] for one in table.columns]
    assert not table.left_out or min(importance[title] for title in table.left_out) >= max(stays)


@given(rows=ROWS)
@settings(max_examples=examples(30))
def test_nothing_is_folded_or_left_out_where_there_is_no_terminal(rows):
    table = fit(RESULTS, rows, None)
    assert (table.columns, table.left_out) == (RESULTS, ())
    assert len(table.lines()) == 1 + len(rows)
    assert [[cell.strip() for cell in line] for line in table.lines()[1:]] == [list(row) for row in rows]


@given(rows=ROWS, width=st.integers(60, 200))
@settings(max_examples=examples(100))
def test_a_wider_terminal_shows_no_less(rows, width):
    assert set(fit(RESULTS, rows, width + 7).left_out) <= set(fit(RESULTS, rows, width).left_out)


def test_a_name_is_wrapped_only_when_all_details_are_out():
    rows = [["bckd alpha1=0.5 alpha2=2.0", "0", "finished", *["23.8"] * 9, "+1.7", ""]]
    wide = fit(RESULTS, rows, 70)
    assert len(wide.lines()) == 2
    assert wide.left_out == TITLES[2:]
    assert [line[0].strip() for line in fit(RESULTS, rows, 56).lines()[1:]] == ["bckd alpha1=0.5", "alpha2=2.0"]


def test_columns_of_one_width_line_up_under_wide_characters():
    table = fit(
        (TableColumn("trial", wraps=True), TableColumn("AP", right=True)), [["教師", "1.0"], ["none", "10.0"]], 80
    )
    assert {cell_len("  ".join(line)) for line in table.lines()} == {11}


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("bckd alpha1=0.5", 15, ["bckd alpha1=0.5"]),
        ("bckd alpha1=0.5", 14, ["bckd", "  alpha1=0.5"]),
        ("bckd alpha1=0.50001", 13, ["bckd alpha1=", "  0.50001"]),
        ("long.key.of.a.study=1", 12, ["long.key.of.", "  a.study=1"]),
        ("unbreakable", 6, ["unbr", "  eaka", "  ble"]),
    ],
)
def test_words_are_broken_last_of_all(text, width, lines):
    assert wrapped(text, width) == lines


def test_a_column_of_sentences_keeps_its_paths_whole():
    columns = (TableColumn(""), TableColumn("", wraps=True, whole=True))
    message = "mmcv operators from /a/very/long/path/that/is/wider/than/the/terminal/ops.py and more"
    lines = ["  ".join(line).rstrip() for line in fit(columns, [["ok", message]], 40).lines()]
    assert " ".join(lines).split() == ["ok", *message.split()]
    assert [len(line) <= 40 for line in lines] == [True, False, True]


def test_a_sentence_keeps_its_addresses_whole():
    text = "  will be fetched: https://example.org/" + "long/" * 12 + "file.pth into the cache"
    lines = paragraph(text, 40).splitlines()
    assert [word for line in lines for word in line.split()] == text.split()
    assert all(len(line) <= 40 or len(line.split()) == 1 for line in lines)
    assert paragraph(text, None) == text


def test_a_folded_sentence_keeps_the_spaces_after_its_label():
    assert paragraph("best:    bckd seed=0  (trial a)", 20) == "best:    bckd seed=0\n  (trial a)"
