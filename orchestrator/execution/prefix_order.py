"""Hold trials back until the state that they start from is there, and remove such states when nobody needs them."""

import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from orchestrator.core.store import Store
from orchestrator.plan.kept import note_kept
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, status_of
from trainers.schema.atomic import remove
from trainers.schema.fence import FencedOff
from trainers.schema.record import read_history
from trainers.schema.state_files import epochs_with_state, shared_files
from trainers.schema.status import is_over
from trainers.schema.trial import Prefix

LOOK_EVERY_S = 0.5  # at a donor's directory, which may lie on a network
MOST_LOOKS, REST = 50, 20  # in a row, in Ray Tune's loop; looking takes a twentieth of the time at most


class PrefixOrder:
    """Say when a trial that starts from another one's state is due: the state is there, or nobody here will make it."""

    def __init__(self, trials: Iterable[PlannedTrial]) -> None:
        self._donors = {trial.id: trial for trial in trials}
        prefixes = {_key(trial.prefix): trial.prefix for trial in self._donors.values() if trial.prefix}
        self._coming = deque((prefix, -LOOK_EVERY_S) for prefix in prefixes.values())  # with the time of the last look
        self._held = set(prefixes)
        self._rests_until = 0.0

    @property
    def holds(self) -> bool:
        """Return whether any trial may have to wait."""
        self._look()
        return bool(self._held)

    def is_due(self, trial: PlannedTrial) -> bool:
        """Return whether a trial can be started now. A search asks this of thousands that wait, one after the other."""
        if trial.prefix is None:
            return True
        self._look()
        return _key(trial.prefix) not in self._held

    def _look(self) -> None:
        """Look for some of the states that are waited for, those first that were not looked for the longest."""
        began = time.monotonic()
        if began < self._rests_until:
            return
        for _ in range(min(MOST_LOOKS, len(self._coming))):
            prefix, looked = self._coming[0]
            if began - looked < LOOK_EVERY_S:
                break
            self._coming.popleft()
            if self._is_to_come(prefix):
                self._coming.append((prefix, began))
            else:
                self._held.discard(_key(prefix))
        ended = time.monotonic()
        self._rests_until = ended + REST * (ended - began)

    def _is_to_come(self, prefix: Prefix) -> bool:
        donor = self._donors.get(prefix.trial)
        if donor is None or status_of(donor.directory) not in ("new", "unfinished"):
            return False
        if prefix.epoch in epochs_with_state(donor.directory):
            return False
        history = read_history(donor.directory)  # after the look at its states: they come first
        return not history or history[-1].epoch < prefix.epoch


def _key(prefix: Prefix) -> tuple[str, int]:
    return prefix.trial, prefix.epoch


def drop_shared_states(plan: Plan) -> None:
    """Remove the states that no trial of the plan will start from any more."""
    wanted = wanted_states(plan)
    for trial in plan.trials:
        if is_over(status_of(trial.directory)):
            _drop(trial, wanted.get(trial.id, set()))


def wanted_states(plan: Plan) -> dict[str, set[int]]:
    """Return the epochs whose states are needed, by trial: those of trials that have not begun."""
    found: dict[str, set[int]] = {}
    for trial in plan.trials:
        if trial.prefix and not _has_begun(trial):
            found.setdefault(trial.prefix.trial, set()).add(trial.prefix.epoch)
    return found


def _has_begun(trial: PlannedTrial) -> bool:
    return is_over(status_of(trial.directory)) or bool(read_history(trial.directory))


def _drop(donor: PlannedTrial, wanted: set[int]) -> None:
    for epoch, path in shared_files(donor.directory).items():
        if epoch not in wanted:
            with suppress(FencedOff, OSError):  # the next run removes it
                remove(path)


class SharedStates:
    """Watch trials, and remove a state when the last trial that starts from it has begun."""

    def __init__(self, plan: Plan) -> None:
        self._by_id = {trial.id: trial for trial in plan.trials}
        self._waiting: dict[str, dict[int, set[str]]] = {}  # by whose state, and after which epoch
        for trial in plan.trials:
            if trial.prefix and trial.prefix.trial in self._by_id and not _has_begun(trial):
                states = self._waiting.setdefault(trial.prefix.trial, {})
                states.setdefault(trial.prefix.epoch, set()).add(trial.id)

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search: it starts from the beginning."""

    def started(self, trial_id: str) -> None:
        """Handle the start of a trial."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle a record: the trial has its own state now."""
        trial = self._by_id.get(trial_id)
        if trial is None or trial.prefix is None:
            return
        states = self._waiting.get(trial.prefix.trial, {})
        waiting = states.get(trial.prefix.epoch)
        if waiting is None:
            return
        waiting.discard(trial_id)
        while waiting and _has_begun(self._by_id[one := next(iter(waiting))]):  # in another job
            waiting.discard(one)
        if not waiting:
            del states[trial.prefix.epoch]
            _drop(self._by_id[trial.prefix.trial], set(states))

    def ended(self, trial_id: str) -> None:
        """Handle the end of a trial's records."""


class KeptNotes:
    """Watch trials, and write down the settings of those that keep states."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._trials = {trial.id: trial for trial in plan.trials}

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        self._trials[trial.id] = trial

    def started(self, trial_id: str) -> None:
        """Write down a trial before it can have kept a state."""
        trial = self._trials.get(trial_id)
        if trial is not None and self._plan.keeps(trial):
            with suppress(OSError):  # training meets the same obstacle, and says so
                note_kept(self._store, self._plan.planner, trial)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle a record."""

    def ended(self, trial_id: str) -> None:
        """Handle the end of a trial's records."""
