"""Trials that failed or paused start again when they are asked to, in the place of one that ends; others are left alone."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.search import resuming
from orchestrator.search.resuming import LOOK_EVERY_S, ResumingScheduler
from orchestrator.search.selective import SelectiveScheduler
from tests.clock import own_clock
from tests.unit.orchestrator.search.simulated import LiveTrial
from trainers.schema.record import Outcome, read_outcome, write_outcome
from trainers.schema.request import Request, read_request, write_request


class Noting:
    """Stand for the scheduler that decides: note each call."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any, **options: Any) -> Any:
            named = [given.name if isinstance(given, LiveTrial) else given for given in arguments]
            self.told.append((name, *named, *options))
            return {"on_trial_result": "PAUSE", "choose_trial_to_run": "chosen", "debug_string": "said"}.get(name, True)

        return call


class Sweep:
    """Hold a scheduler with the trials that it was asked to start again, and whether there is a place for them."""

    def __init__(self, folder: Path) -> None:
        self.inner, self.folder, self.place = Noting(), folder, True
        self.asked: list[tuple[str, str | None]] = []
        self.scheduler = ResumingScheduler(self.inner, self.restart)

    def restart(self, controller: Any, trial: LiveTrial, ending: LiveTrial | None) -> bool:
        assert controller is self
        self.asked.append((trial.name, ending.name if ending else None))
        return self.place

    def trial(self, name: str, request: Request | None = None) -> LiveTrial:
        made = LiveTrial(name, self.folder / name)
        (self.folder / name).mkdir()
        if request:
            write_request(self.folder / name, request)
        return made

    def end(self, trial: LiveTrial, epoch: int = 0) -> None:
        self.scheduler.on_trial_complete(self, trial, {"epoch": epoch} if epoch else {})

    def request(self, name: str) -> Request | None:
        return read_request(self.folder / name)


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


@pytest.mark.parametrize(
    "make",
    [
        lambda inner: ResumingScheduler(inner, lambda *_: False),
        lambda inner: SelectiveScheduler(inner, lambda trial: True),
    ],
)
def test_all_calls_reach_the_scheduler_that_decides_and_its_answers_come_back(make: Any, tmp_path: Path) -> None:
    inner, trial = Noting(), LiveTrial("a", tmp_path)
    trial.status = "ERROR"
    scheduler = make(inner)
    assert scheduler.set_search_properties("m", "max", x=1) is True
    scheduler.on_trial_add(None, trial)
    assert scheduler.on_trial_result(None, trial, {"epoch": 1}) == "PAUSE"
    scheduler.on_trial_error(None, trial)
    scheduler.on_trial_complete(None, trial, {"epoch": 2})
    scheduler.on_trial_remove(None, trial)
    assert (scheduler.choose_trial_to_run(None), scheduler.debug_string()) == ("chosen", "said")
    assert scheduler.__getstate__() == {}
    assert inner.told == [
        ("set_search_properties", "m", "max", "x"), ("on_trial_add", None, "a"), ("on_trial_result", None, "a", {"epoch": 1}),
        ("on_trial_error", None, "a"), ("on_trial_complete", None, "a", {"epoch": 2}), ("on_trial_remove", None, "a"),
        ("choose_trial_to_run", None), ("debug_string",),
    ]  # fmt: skip


def test_a_trial_that_is_not_judged_goes_on_and_only_the_choice_is_of_all(tmp_path: Path) -> None:
    inner, trial = Noting(), LiveTrial("a", tmp_path)
    scheduler = SelectiveScheduler(inner, lambda name: name != "a")
    scheduler.on_trial_add(None, trial)
    assert scheduler.on_trial_result(None, trial, {"epoch": 1}) == "CONTINUE"
    scheduler.on_trial_error(None, trial)
    scheduler.on_trial_complete(None, trial, {})
    scheduler.on_trial_remove(None, trial)
    assert inner.told == []
    assert scheduler.choose_trial_to_run(None) == "chosen"


def test_a_trial_that_ended_without_a_record_starts_again_in_the_place_of_one_that_ends(sweep: Sweep) -> None:
    waiting = sweep.trial("waiting", Request.PAUSE)
    sweep.end(waiting)
    assert sweep.asked == [], "a pause goes on"
    write_request(sweep.folder / "waiting", Request.RESUME)
    sweep.end(sweep.trial("over"), epoch=3)
    assert sweep.asked == [("waiting", "over")]
    assert sweep.request("waiting") is None, "it was carried out"
    sweep.end(sweep.trial("other"), epoch=3)
    assert len(sweep.asked) == 1, "it runs now"


def test_the_trial_that_ends_now_does_not_start_in_its_own_place(sweep: Sweep) -> None:
    sweep.end(sweep.trial("a", Request.RESUME))
    assert sweep.asked == []
    assert sweep.request("a") is Request.RESUME
    sweep.scheduler.choose_trial_to_run(sweep)
    assert sweep.asked == [("a", None)]


def test_one_with_a_last_record_has_ended_for_good(sweep: Sweep) -> None:
    sweep.end(sweep.trial("a", Request.RETRY), epoch=5)
    sweep.scheduler.choose_trial_to_run(sweep)
    assert sweep.asked == []


def test_without_a_place_the_request_stays(sweep: Sweep) -> None:
    sweep.place = False
    sweep.end(sweep.trial("a", Request.RETRY))
    sweep.scheduler.choose_trial_to_run(sweep)
    assert sweep.request("a") is Request.RETRY
    sweep.place = True
    sweep.end(sweep.trial("b"), epoch=1)
    assert sweep.asked == [("a", None), ("a", "b")]


def test_a_trial_that_is_to_be_stopped_is_given_a_place_to_end_in_and_keeps_its_request(sweep: Sweep) -> None:
    sweep.end(sweep.trial("a", Request.STOP))
    sweep.end(sweep.trial("b"), epoch=1)
    assert sweep.asked == [("a", "b")]
    assert sweep.request("a") is Request.STOP


def test_a_failed_trial_is_forgotten_by_its_outcome_when_it_is_tried_again(sweep: Sweep) -> None:
    failed = sweep.trial("a")
    write_outcome(sweep.folder / "a", Outcome("failed", "out of memory"))
    failed.status = "TERMINATED"
    sweep.scheduler.on_trial_error(sweep, failed)
    write_request(sweep.folder / "a", Request.RETRY)
    sweep.end(sweep.trial("b"), epoch=1)
    assert sweep.asked == [("a", "b")]
    assert read_outcome(sweep.folder / "a") is None


def test_a_crash_that_tune_retries_by_itself_waits_for_nobody(sweep: Sweep) -> None:
    crashed = sweep.trial("a", Request.RETRY)
    crashed.status = "ERROR"
    sweep.scheduler.on_trial_error(sweep, crashed)
    sweep.scheduler.choose_trial_to_run(sweep)
    assert sweep.asked == []


def test_between_ends_requests_are_looked_for_at_intervals(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    own_clock(monkeypatch, resuming, monotonic=lambda: now[0])
    sweep.place = False
    sweep.end(sweep.trial("a", Request.RESUME))
    for seconds, looks in ((0.0, 1), (LOOK_EVERY_S / 2, 1), (LOOK_EVERY_S / 2, 2), (LOOK_EVERY_S, 3)):
        now[0] += seconds
        sweep.scheduler.choose_trial_to_run(sweep)
        assert len(sweep.asked) == looks
