"""Lay out which method can distil which head: the compatibility matrix, for people, for documents and for scripts."""

from collections.abc import Callable, Sequence
from typing import Any

from trainers.schema.compatibility import fits, misfits, presets
from trainers.schema.heads import HeadSpec, heads, other_head
from trainers.schema.method import MethodSpec, terms_of

YES, NO = "yes", "-"


def compatibility() -> list[dict[str, Any]]:
    """Return a row for each preset: its terms, and for each head whether the method works when both detectors have it."""
    return [_row(name, method, _columns()) for name, method in presets().items()]


def across() -> list[str]:
    """Return the methods that work with any two heads that are described."""
    known = list(heads().values())
    pairs = [(teacher, student) for teacher in known for student in known]
    return [name for name, method in presets().items() if all(fits(method, *pair) for pair in pairs)]


def detectors() -> list[str]:
    """Return the detectors' names, in the matrix's order of columns."""
    return [spec.detector for spec in _columns()]


def reasons() -> list[str]:
    """Return one sentence for each method and head that do not go together."""
    return [
        f"{name} on {spec.detector}: {reason}"
        for name, method in presets().items()
        for spec in _columns()
        for reason in dict.fromkeys(misfits(method, spec, spec))
    ]


def markdown() -> str:
    """Return the matrix as a table for the documentation."""
    columns = ["method", "terms", *detectors()]
    lines = [_line(columns), _line(["---"] * len(columns))]
    for row in compatibility():
        terms = " + ".join(f"`{term}`" for term in row["terms"])
        lines.append(_line([f"`{row['method']}`", terms, *_marks(row, lambda fit: YES if fit else NO)]))
    return "\n".join(lines) + "\n"


def _columns() -> list[HeadSpec]:
    """Return the heads that are described, and one that stands for all others."""
    return [*heads().values(), other_head("a head that is not described")]


def _row(name: str, method: MethodSpec, known: Sequence[HeadSpec]) -> dict[str, Any]:
    return {
        "method": name,
        "terms": [term.kind for term in terms_of(method)],
        "detectors": {spec.detector: fits(method, spec, spec) for spec in known},
    }


def _marks(row: dict[str, Any], mark: Callable[[bool], str]) -> list[str]:
    return [mark(fit) for fit in row["detectors"].values()]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
