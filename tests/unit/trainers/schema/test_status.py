from typing import get_args

import pytest

from trainers.schema.status import Status, has_ended, is_over


@pytest.mark.parametrize(
    ("status", "over", "ended"),
    [
        ("new", False, False),
        ("unfinished", False, False),
        ("finished", True, True),
        ("stopped", True, True),
        ("failed", False, True),  # the next run tries it again
    ],
)
def test_ends(status, over, ended):
    assert (is_over(status), has_ended(status)) == (over, ended)


def test_every_status_stands_in_the_table_above():
    table = next(mark for mark in test_ends.pytestmark if mark.name == "parametrize").args[1]
    statuses = [status for part in get_args(Status) for status in (get_args(part) or (part,))]
    assert sorted(statuses) == sorted(row[0] for row in table)
