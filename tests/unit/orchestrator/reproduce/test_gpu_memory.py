"""A reproduction says which GPU it needs, from forecasts that belong to the rows as they stand."""

import pytest

from orchestrator.reproduce.gpu_memory import RowMemory, forecasts
from orchestrator.reproduce.tables import paper_dir

ROW = RowMemory("row", images=2, one=5.0, further=0.5)


def test_every_row_of_the_paper_has_a_forecast() -> None:
    rows = {path.stem for path in (paper_dir() / "rows").glob("*.yaml") if not path.stem.startswith("bccd")}
    assert forecasts().keys() == rows
    assert all(0 < found.further < found.one < 24 for found in forecasts().values())


@pytest.mark.parametrize(("size", "students"), [(6, 0), (8, 4), (24, 33)])
def test_students_that_fit_leave_room(size: int, students: int) -> None:
    assert ROW.students_in(size) == students
    used = ROW.one + (students - 1) * ROW.further
    assert students == 0 or 1.1 * used + 0.75 <= size < 1.1 * (used + ROW.further) + 0.75


def test_the_smallest_gpu_that_does_is_named() -> None:
    assert ROW.gpu == 8
    assert RowMemory("row", images=2, one=9.0, further=0.5).gpu == 11
