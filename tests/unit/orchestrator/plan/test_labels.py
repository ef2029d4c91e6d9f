"""Points of a search read the same everywhere."""

import pytest

from orchestrator.plan.labels import point_text


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, ""),
        ({"method.alpha1": 0.5, "schedule.lr": 0.01}, "alpha1=0.5 schedule.lr=0.01"),
        ({"method": {"kind": "bckd", "variant": "paper", "inherit": True}}, "variant=paper inherit=true"),
        ({"method.kind": "none"}, ""),
        (
            {"schedule.policy": {"kind": "step", "milestones": [6]}},
            "schedule.policy.kind=step schedule.policy.milestones=[6]",
        ),
    ],
)
def test_a_point_on_one_line(params, text):
    assert point_text(params) == text
