"""A finding's file, line and key are those that its text names."""

import pytest

from orchestrator.core.findings import Finding
from orchestrator.study.location import Location, Locations, Problem


@pytest.mark.parametrize(
    ("location", "path", "parts"),
    [
        (Location("a/study.yaml", 7), ("search", "seeds", 0), ("a/study.yaml", 7, "search.seeds[0]")),
        (Location("a b.yaml", 7), (), ("a b.yaml", 7, None)),
        (Location("study.yaml", 1), ("tracking", "tags", "a: 3: b"), ("study.yaml", 1, "tracking.tags.a: 3: b")),
        (Location("stillhouse::studies/x.yaml", 2), ("name",), ("stillhouse::studies/x.yaml", 2, "name")),
        (Location("study.yaml", None), (), ("study.yaml", None, None)),
        (Location("--set name", None), ("name",), (None, None, "name")),
        (Location("--set search", None), ("search", "seeds"), (None, None, "search.seeds")),
        (Location("study", None, "/tmp"), ("name",), (None, None, "name")),
        (Location("study", None, "/tmp"), (), (None, None, None)),
    ],
)
def test_the_parts_of_a_place(location: Location, path: tuple[str | int, ...], parts: tuple[object, ...]) -> None:
    finding = Locations({(): location}).finding(Problem(path, "message"))
    assert (finding.file, finding.line, finding.key) == parts


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ("search.max_trials", (None, None, "search.max_trials")),
        ("student.config[2]", (None, None, "student.config[2]")),
        ("detectors/mine.py", ("detectors/mine.py", None, None)),
        ("mine.py", ("mine.py", None, None)),
    ],
)
def test_a_place_without_a_line(where: str, parts: tuple[object, ...]) -> None:
    finding = Finding("error", where, "message")
    assert (finding.file, finding.line, finding.key) == parts
