"""A study whose scheduler can stop nothing, or compares nothing in between, is told, and what a message proposes works."""

import itertools
import re
from pathlib import Path

import pytest

from orchestrator.search.pasha import levels
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import findings_of, write

STUDY = """
name: short
dataset: {kind: shapes, train_images: 160}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 12, batch_size: 16, policy: {kind: constant}}
search: {space: {schedule.lr: [0.1, 0.2, 0.3]}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write(tmp_path, STUDY)


def said(study: Path, *sets: str) -> list[tuple[str, str]]:
    """Return what is said of the scheduler: level and message."""
    return [(level, message) for level, where, message in findings_of(study, sets) if "search.scheduler" in where]


def pasha(grace: int, factor: int, rungs: str = "epoch") -> str:
    return f"search.scheduler={{kind: pasha, grace_epochs: {grace}, reduction_factor: {factor}, rungs: {rungs}}}"


def proposed(message: str, grace: int) -> tuple[int, int] | None:
    """Return the grace and the factor that a message proposes; ``None`` where it says that none can do."""
    numbers = re.search(r"write (?:grace_epochs: (\d+), with )?a factor of (\d+)", message)
    return (int(numbers[1] or grace), int(numbers[2])) if numbers else None


@pytest.mark.parametrize("further", ["", ", {epochs: 14}"], ids=["one length", "two lengths"])
def test_what_a_message_about_rungs_proposes_has_a_rung(further: str, study: Path) -> None:
    shapes = itertools.product((1, 2, 3, 5), (2, 3, 5), range(1, 12))
    for grace, factor, epochs in (shape for shape in shapes if shape[0] < shape[2]):
        lengths = f"schedule.epochs={epochs}" if not further else f"search.space={{schedule.epochs: [{epochs}, 14]}}"
        between = [level for level in levels(grace, factor, epochs) if grace < level < epochs]
        found = [message for _, message in said(study, lengths, pasha(grace, factor)) if "no rung" in message]
        assert bool(found) == (not between), (grace, factor, epochs)
        for message in found:
            better = proposed(message, grace)
            assert (better is None) == (epochs < 3), message
            if better:
                assert any(better[0] < level < epochs for level in levels(*better, epochs)), message
                assert not said(study, lengths, pasha(*better)), message


@pytest.mark.parametrize("kind", ["asha", "pasha"])
@pytest.mark.parametrize(
    ("sets", "grace", "level"),
    [
        ((), 12, "warning"),
        ((), 13, "error"),
        (("search.scheduler.rungs=phase",), 12, "warning"),
        (("search.scheduler.rungs=phase", "search.space={schedule.epochs: [12, 24]}"), 12, "warning"),
        (("search.scheduler.rungs=phase", "search.space={schedule.epochs: [12, 24]}"), 13, "error"),
        (("search.scheduler.rungs=phase", "search.space={schedule.epochs: [2, 12]}"), 3, None),  # of the study's own
        (("search.space={schedule.epochs: [12, 24]}",), 12, None),  # the longer ones are stopped
    ],
)
def test_grace_for_the_whole_length_is_told(
    kind: str, sets: tuple[str, ...], grace: int, level: str, study: Path
) -> None:
    scheduler = f"search.scheduler={{kind: {kind}, grace_epochs: {grace}, reduction_factor: 2}}"
    found = [found for found, message in said(study, scheduler, *sets) if "of grace are" in message]
    assert found == ([level] if level else [])


@pytest.mark.parametrize(("fidelity", "grace"), [("full", 11), ("short", 3)])
def test_a_shortened_study_still_stops_trials(fidelity: str, grace: int, tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY, f"fidelity={fidelity}", "search.scheduler={kind: asha, grace_epochs: 11}")
    assert plan.study.search.scheduler.grace_epochs == grace  # type: ignore[union-attr]


def test_in_a_race_fewer_points_than_all_are_finalists(study: Path) -> None:
    """The scheduler judges one seed of each point."""
    race = ("search.seeds=[0, 1]", "search.racing={}")
    for finalists in range(1, 8):
        scheduler = f"search.scheduler={{kind: pasha, finalists: {finalists}}}"
        alone = [message for _, message in said(study, scheduler, *race[:1])]
        raced = [message for _, message in said(study, scheduler, *race)]
        assert [bool(alone), bool(raced)] == [finalists >= 6, finalists >= 3]
        assert all("below the number of points (3)" in message for message in raced)
