"""A reproduction says which GPU it needs, from forecasts that belong to the rows as they stand."""

from dataclasses import replace

import pytest

from orchestrator.reproduce.gpu_memory import RowMemory, forecasts
from orchestrator.reproduce.tables import paper_dir

ROW = RowMemory("row", images=2, one=5.0, further=0.5, image=1.5, further_image=0.05)


def test_every_row_of_the_paper_has_a_forecast() -> None:
    rows = {path.stem for path in (paper_dir() / "rows").glob("*.yaml") if not path.stem.startswith("bccd")}
    assert forecasts().keys() == rows
    assert all(0 < found.further < found.one < 24 for found in forecasts().values())
    assert all(0 <= found.further_image < found.image < found.one for found in forecasts().values())


@pytest.mark.parametrize(("size", "students"), [(6, 0), (8, 4), (24, 33)])
def test_students_that_fit_leave_room(size: int, students: int) -> None:
    assert ROW.students_in(size) == students
    used = ROW.one + (students - 1) * ROW.further
    assert students == 0 or 1.1 * used + 0.75 <= size < 1.1 * (used + ROW.further) + 0.75


def test_the_smallest_gpu_that_does_is_named() -> None:
    assert ROW.gpu == 8
    assert replace(ROW, one=9.0).gpu == 11
    assert replace(ROW, one=90.0).gpu is None


def test_more_images_on_each_gpu_need_more() -> None:
    found = ROW.at(4)
    assert (found.images, found.one, found.further) == (4, 8.0, 0.6)
    assert ROW.at(2) == ROW
    assert (found.gpu, ROW.at(16).gpu) == (11, 32)
