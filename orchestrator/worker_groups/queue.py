"""Form cohorts from waiting trials and release their results to the scheduler in a fixed order.

Plain data: no Ray, no clock.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from trainers.schema.record import Record

# For members of a cohort that are still to come: longer than a process takes to start on a busy machine. A smaller cohort
# has the same results, but what its members would have shared is computed again.
PATIENCE_S = 60.0
TOGETHER_AGAIN = 1  # times that students train together again after their workers were lost; then each by itself
MOST_IDLE_DEATHS = 3  # of hosts one after the other before they had anything to train: then who waits is told
Errors = tuple[BaseException, ...]  # a failure and its causes


class SlotStage(Enum):
    """Name the stages of a trial in the queue."""

    WAITING = "waiting"
    TRAINING = "training"
    OVER = "over"


@dataclass
class Slot:
    """Hold one trial whose reader has come: its job (JSON), its sharing key, its position in the study.

    ``after`` is the last step that its reader knows; ``deciding`` says that the scheduler has a record and has not said
    whether the trial goes on; ``lease_id`` tells one reader of the trial from the one before.
    """

    trial_id: str
    key: str
    position: int
    job: str
    after: int
    since: float
    lease_id: str
    stage: SlotStage = SlotStage.WAITING
    host: str | None = None
    cohort: int | None = None
    records: deque[Record] = field(default_factory=deque)
    deciding: bool = False
    errors: Errors = ()

    @property
    def undecided(self) -> bool:
        """Return whether the scheduler has not judged all that the trial has reported."""
        return self.deciding or bool(self.records)


class GangQueue:
    """Hold the slots of a sweep. A cohort has up to ``size`` trials of one key, in the order of the study.

    ``expected`` maps the trials that may still come, in that order, to their keys; ``open_ended`` says that more will be expected later.
    ``places`` is how many trials a search that proposes them holds at once; 0 where nothing is proposed.
    """

    def __init__(self, size: int, expected: dict[str, str], *, open_ended: bool = False, places: int = 0) -> None:
        self._size, self._expected, self._open_ended = size, dict(expected), open_ended
        self._places, self._proposing = places, True
        self._order = {trial_id: position for position, trial_id in enumerate(expected)}
        self._slots: dict[str, Slot] = {}
        self._lost: Counter[str] = Counter()
        self._arrived, self._cohorts, self._idle_deaths = 0.0, 0, 0

    # ------------------------------------------------------------------------------------------- what the driver knows

    def expect(self, trial_id: str, key: str) -> None:
        """Expect a trial: it was proposed, or continues after a pause. Others may follow."""
        slot = self._slots.get(trial_id)
        if slot is None or slot.stage is SlotStage.OVER:
            self._expected[trial_id] = key
        self._proposing = True

    def set_idle(self, *, over: bool) -> None:
        """Note that the search proposes no trial before the next result, or never again if it is ``over``."""
        self._proposing = False
        self._open_ended = self._open_ended and not over

    # ------------------------------------------------------------------------------------------- readers of trials

    def enqueue(self, slot: Slot) -> None:
        """Add a trial's reader; if the trial is already training, replace its earlier reader."""
        self._expected.pop(slot.trial_id, None)
        self._arrived = slot.since
        old = self._slots.get(slot.trial_id)
        if old is not None and old.stage is SlotStage.TRAINING:
            old.lease_id, old.deciding = slot.lease_id, False
            # The new reader has replayed the records on disk: passing one of them on would report a step twice.
            old.records = deque(record for record in old.records if record.step > slot.after)
            return
        if self._lost[slot.trial_id] > TOGETHER_AGAIN:
            # A key of its own: a trial that kills its workers must not take the same neighbours down again.
            slot.key = f"{slot.key} {slot.trial_id}"
        self._slots[slot.trial_id] = slot

    def ask(self, trial_id: str) -> None:
        """Note that the scheduler continues the trial and requests its next record."""
        self._slots[trial_id].deciding = False

    def next_record(self, trial_id: str) -> Record | None:
        """Return the trial's next record in its turn: a cohort's records reach the scheduler in order."""
        slot = self._slots[trial_id]
        # Not in order of arrival: ASHA's decisions depend on the order of results, and would differ from run to run.
        if not slot.records or any(other.undecided for other in self._before(slot)):
            return None
        slot.deciding = True
        return slot.records.popleft()

    def slot(self, trial_id: str) -> Slot | None:
        """Return a trial's slot, ``None`` for one that has not come."""
        return self._slots.get(trial_id)

    def leave(self, trial_id: str, lease_id: str | None = None) -> None:
        """End a trial's slot; a call of a replaced reader (another ``lease_id``) has no effect."""
        self._expected.pop(trial_id, None)
        slot = self._slots.get(trial_id)
        if slot is not None and lease_id in (None, slot.lease_id):
            slot.stage, slot.deciding = SlotStage.OVER, False
            slot.records.clear()

    # -------------------------------------------------------------------------------------------------------- hosts

    def cohort(self, host: str, now: float) -> list[Slot]:
        """Return the trials that ``host`` trains next, none when it has to wait for more to come."""
        for key in sorted({slot.key for slot in self._waiting()}, key=self._first_position):
            here = sorted((slot for slot in self._waiting() if slot.key == key), key=lambda slot: slot.position)
            # Patience is bounded: an actor that died on its way would otherwise block its whole cohort.
            if self._is_whole(here) or not self._may_come(key) or now - self._arrived > PATIENCE_S:
                return self._begin(here[: self._size], host)
        return []

    def _is_whole(self, here: list[Slot]) -> bool:
        """Return whether a cohort is complete: no expected trial comes before its last one in the study."""
        if len(here) < self._size:
            return False
        last = here[self._size - 1]
        coming = (self._order.get(name, last.position) for name, key in self._expected.items() if key == last.key)
        return all(position >= last.position for position in coming)

    def _begin(self, chosen: list[Slot], host: str) -> list[Slot]:
        self._cohorts += 1
        for slot in chosen:
            slot.stage, slot.host, slot.cohort = SlotStage.TRAINING, host, self._cohorts
        return chosen

    def useful_hosts(self) -> int:
        """Return how many cohorts are in training, waiting or still to come."""
        return self.coming() + len({slot.host for slot in self._slots.values() if slot.stage is SlotStage.TRAINING})

    @property
    def over(self) -> bool:
        """Return whether no cohort is left to be trained: nobody waits, nobody will come."""
        return not self._open_ended and not self.coming()

    def coming(self) -> int:
        """Return how many cohorts are waiting or still to come."""
        keys = Counter(self._expected.values()) + Counter(slot.key for slot in self._waiting())
        return sum(-(-count // self._size) for count in keys.values())

    def put(self, host: str, trial_id: str, record: Record) -> None:
        """Add a record; drops one that the reader has already, or of a trial that has ended."""
        slot = self._slots[trial_id]
        if record.step > slot.after and self._trains(host, slot):
            slot.after = record.step
            slot.records.append(record)

    def fail(self, host: str, trial_id: str, errors: Errors) -> None:
        """Record the failure of one trial."""
        slot = self._slots[trial_id]
        if self._trains(host, slot):
            slot.stage, slot.errors = SlotStage.OVER, errors

    def stop(self, host: str, trial_id: str) -> None:
        """Record that one trial was asked to stop and has saved its state: its reader goes, the cohort goes on."""
        self.fail(host, trial_id, ())

    def judged(self, trial_ids: Iterable[str]) -> bool:
        """Return whether the scheduler has judged all that these trials have reported."""
        return not any(self._slots[trial_id].undecided for trial_id in trial_ids)

    def active_trials(self, host: str, trial_ids: Iterable[str]) -> list[str]:
        """Return those of a host's trials that go on."""
        return [trial_id for trial_id in trial_ids if self._trains(host, self._slots[trial_id])]

    def requeue(self, host: str) -> None:
        """Let a host's trials wait for another one: their records are judged, and their states are on disk."""
        for slot in self._slots.values():
            if self._trains(host, slot):
                slot.stage, slot.host, slot.cohort = SlotStage.WAITING, None, None

    def end(self, host: str, errors: Errors = ()) -> None:
        """End a host's cohort: it is trained to its end, or an error hit all of its trials."""
        slots = [slot for slot in self._slots.values() if self._trains(host, slot)]
        self._idle_deaths = self._idle_deaths + 1 if errors and not slots else 0
        # Hosts that die before they train have a cause that a new host meets again: waiting trials get the error.
        for slot in slots if self._idle_deaths < MOST_IDLE_DEATHS else self._waiting():
            slot.stage, slot.errors = SlotStage.OVER, errors
            self._lost[slot.trial_id] += bool(errors)

    # --------------------------------------------------------------------------------------------------------- ours

    def _waiting(self) -> list[Slot]:
        return [slot for slot in self._slots.values() if slot.stage is SlotStage.WAITING]

    def _first_position(self, key: str) -> int:
        return min(slot.position for slot in self._waiting() if slot.key == key)

    def _may_come(self, key: str) -> bool:
        return key in self._expected.values() or (self._proposing and self._live() < self._places)

    def _live(self) -> int:
        """Return how many trials the scheduler holds: seated or on their way."""
        return len(self._expected) + sum(slot.stage is not SlotStage.OVER for slot in self._slots.values())

    @staticmethod
    def _trains(host: str, slot: Slot) -> bool:
        return slot.stage is SlotStage.TRAINING and slot.host == host

    def _before(self, slot: Slot) -> list[Slot]:
        """Return the slots of the same cohort whose records come before this one's."""
        return [one for one in self._slots.values() if one.cohort == slot.cohort and one.position < slot.position]
