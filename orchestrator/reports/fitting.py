"""Fit a table's columns to a width, so that every cell keeps whole words: all tables for terminals ask here.

A table that is too wide makes concessions in a fixed order until it fits:

1. columns of details (``gives_way`` above ``WRAPPING``) are left out, the highest number first;
2. columns of text are wrapped at spaces, and after ``=`` where a word alone is wider than its column;
3. other columns are left out, the highest number first; a column with number 0 stays.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

GAP = "  "
INDENT = "  "  # of the lines that a wrapped cell goes on with
WRAPPING = 10
LEAST = 8  # columns of a wrapped cell, where nothing else fits


@dataclass(frozen=True)
class TableColumn:
    """Describe one column. ``right`` aligns to the right, ``wraps`` marks text, ``states`` marks states to be painted.

    ``whole`` is for sentences in the last column: no word is ever broken, so that paths can be copied.
    ``gives_way`` says when the column is left out: 0 never, else the highest number of a table first. Numbers above
    ``WRAPPING`` are details, which are left out before any text is wrapped.
    """

    title: str
    right: bool = False
    wraps: bool = False
    states: bool = False
    whole: bool = False
    gives_way: int = 0


@dataclass(frozen=True)
class FittedTable:
    """Hold the columns that fit, with their widths, and the titles of those that are left out."""

    columns: tuple[TableColumn, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]

    def lines(self) -> list[list[str]]:
        """Return the table's lines as padded cells; the first line or lines hold the titles, unless all are empty."""
        titles = tuple(column.title for column in self.columns)
        return [line for row in ([titles] if any(titles) else []) + list(self.rows) for line in self._lines(row)]

    def _lines(self, row: Sequence[str]) -> list[list[str]]:
        cells = list(map(_folded, row, self.columns, self.widths))
        height = max(map(len, cells))
        padded = [cell + [""] * (height - len(cell)) for cell in cells]
        return [list(map(_aligned, line, self.columns, self.widths)) for line in zip(*padded, strict=True)]


def fit(columns: Sequence[TableColumn], rows: Sequence[Sequence[str]], width: int | None) -> FittedTable:
    """Return the table fitted to ``width`` columns of a terminal; ``None`` leaves out and wraps nothing.

    A single word that is wider than the terminal is the only one to be broken.
    """
    kept, out = list(range(len(columns))), set[int]()
    natural = [max(map(cell_len, _texts(columns, rows, at))) for at in kept]
    if width is not None:
        least = [_least(columns[at], _texts(columns, rows, at), natural[at]) for at in kept]
        out = _left_out(columns, natural, least, width)
        kept = [at for at in kept if at not in out]
        natural = _narrowed(columns, kept, natural, least, width)
    return FittedTable(
        tuple(columns[at] for at in kept),
        tuple(natural[at] for at in kept),
        tuple(tuple(row[at] for at in kept) for row in rows),
        tuple(columns[at].title for at in sorted(out)),
    )


def wrapped(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of ``width`` columns at most, broken at spaces, else after ``=``, else anywhere."""
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        _place(lines, word, width, (_pieces, _parts, lambda part: chop_cells(part, max(1, width - len(INDENT)))))
    return lines


def _folded(text: str, column: TableColumn, width: int) -> list[str]:
    return paragraph(text, width).split("\n") if column.whole else wrapped(text, width)


def paragraph(text: str, width: int | None) -> str:
    """Return a sentence in lines that fit a terminal, those after the first indented; as it is without a terminal.

    Words stay whole: addresses and paths can be copied. Spaces between words stay, so labels of several lines align.
    """
    if width is None or cell_len(text) <= width:
        return text
    margin = text[: len(text) - len(text.lstrip())]
    lines = [""]
    for word in re.findall(r"\S+ *", text.strip()):
        _place(lines, word.rstrip(), width - len(margin), ())
        lines[-1] += word[len(word.rstrip()) + 1 :]
    return "\n".join(margin + line.rstrip() for line in lines)


def _place(
    lines: list[str], text: str, width: int, splits: Sequence[Callable[[str], list[str]]], glue: str = " "
) -> None:
    """Add ``text`` to the last line, or begin a line with it, or split it; the last resort is a line too wide."""
    glued = f"{glue}{text}" if lines[-1].strip() else text
    if cell_len(lines[-1]) + cell_len(glued) <= width or not (splits or lines[-1].strip()):
        lines[-1] += glued
    elif len(INDENT) + cell_len(text) <= width or not splits:
        lines.append(INDENT + text)
    else:
        for number, piece in enumerate(splits[0](text)):
            _place(lines, piece, width, splits[1:], "" if number else glue)


def _pieces(word: str) -> list[str]:
    """Return a word's parts, each but the last ending in ``=``."""
    return re.findall(r"[^=]*=+|[^=]+", word)


def _parts(word: str) -> list[str]:
    """Return the parts of a dotted key or a path."""
    return re.findall(r"[^./_]*[./_]+|[^./_]+", word)


def _texts(columns: Sequence[TableColumn], rows: Sequence[Sequence[str]], at: int) -> list[str]:
    return [columns[at].title, *(row[at] for row in rows)]


def _least(column: TableColumn, texts: Sequence[str], natural: int) -> int:
    """Return the least width that breaks no part of a word; titles may be wrapped in every column."""
    title, *cells = texts
    if not column.wraps:
        return max([_longest(title), *map(cell_len, cells)])
    return min(natural, max(map(_longest, texts)))


def _longest(text: str) -> int:
    pieces = [cell_len(piece) for word in text.split() for piece in _pieces(word)]
    return max(pieces[:1] + [cell_len(INDENT) + piece for piece in pieces[1:]], default=0)


def _left_out(columns: Sequence[TableColumn], natural: Sequence[int], least: Sequence[int], width: int) -> set[int]:
    """Return the positions of the columns that give way."""
    out: set[int] = set()
    for at in sorted(range(len(columns)), key=lambda at: (-columns[at].gives_way, -at)):
        needed = natural if columns[at].gives_way > WRAPPING else least
        if not columns[at].gives_way or _total([n for i, n in enumerate(needed) if i not in out]) <= width:
            break
        out.add(at)
    return out


def _narrowed(
    columns: Sequence[TableColumn], kept: Sequence[int], natural: Sequence[int], least: Sequence[int], width: int
) -> list[int]:
    """Return widths that fit: the widest column shrinks first, none below the least that its words need."""
    widths = list(natural)
    while _total([widths[at] for at in kept]) > width:
        able = [at for at in kept if widths[at] > least[at]]
        if not able:
            return _broken(columns, kept, widths, width)
        widest = max(able, key=lambda at: (columns[at].wraps, widths[at]))
        widths[widest] -= 1
    return widths


def _broken(columns: Sequence[TableColumn], kept: Sequence[int], widths: list[int], width: int) -> list[int]:
    """Return widths that break words: a single one is wider than the terminal."""
    texts = [at for at in kept if columns[at].wraps]
    others = _total([widths[at] for at in kept]) - sum(widths[at] for at in texts)
    for number, at in enumerate(sorted(texts, key=lambda at: widths[at])):
        room = (width - others) // (len(texts) - number)
        widths[at] = min(widths[at], max(LEAST, room))
        others += widths[at]
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _aligned(text: str, column: TableColumn, width: int) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if column.right else text + blank
