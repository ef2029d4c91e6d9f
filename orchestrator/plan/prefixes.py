"""Find the trials that agree until an epoch, so that one trains that stretch and the others start from its state."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orchestrator.core.by_object import ByObject
from orchestrator.plan.estimate import steps_per_epoch
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.schema import Fifo, Search
from orchestrator.study.space import adds_trials
from trainers.schema import TrialSpec
from trainers.schema.agreement import Turn, bare, parting, turns
from trainers.schema.record import read_history, steps_of_others
from trainers.schema.state_files import epochs_with_state, handed_on
from trainers.schema.status import is_over
from trainers.schema.timing import ALWAYS
from trainers.schema.trial import Prefix


@dataclass(frozen=True)
class Donor:
    """Hold a trial whose states others may start from.

    ``done`` is how many epochs it has behind it. One that is ``over`` has the states in its ``directory``, and makes no more.
    """

    id: str
    directory: Path
    turns: tuple[Turn, ...]
    done: int = 0
    over: bool = False

    def offer(self, epochs: int) -> tuple[int, str] | None:
        """Return the last epoch up to ``epochs`` whose state it has or will have, and the file; ``None`` without one."""
        if epochs > self.done and not self.over:
            return epochs, handed_on(self.directory, epochs)
        there = [epoch for epoch in epochs_with_state(self.directory) if epoch <= epochs]
        return (max(there), handed_on(self.directory, max(there))) if there else None


@dataclass
class Forest:
    """Hold trials of one root that are to be trained, and find the one that agrees longest with another.

    Trials with equal first turns lie at one place, which keeps only the one that goes on longest without a turn: looking
    up takes as many steps as a trial has turns, for any number of trials.
    """

    places: dict[tuple[Turn, ...], Donor] = field(default_factory=dict)

    def add(self, donor: Donor) -> None:
        """Add a trial."""
        for count in range(len(donor.turns)):
            place = donor.turns[:count]
            known = self.places.get(place)
            if known is None or known.turns[count].epoch < donor.turns[count].epoch:
                self.places[place] = donor

    def nearest(self, own: tuple[Turn, ...]) -> Donor | None:
        """Return the trial that agrees longest with one of these turns; of equal ones the first."""
        found = [self.places[own[:count]] for count in range(len(own) + 1) if own[:count] in self.places]
        return max(found, key=lambda donor: parting(donor.turns, own).epochs, default=None)


Start = tuple[Donor, int, str]  # whose state, after which epoch, and its file


def with_prefixes(
    search: Search, students: Sequence[PlannedTrial], kept: Mapping[str, Start] = MappingProxyType({})
) -> list[PlannedTrial]:
    """Return the students with the states that they start from, and those that they hand on.

    ``kept`` are states that are there already, from trials of other studies, by the student that can start from one.
    """
    if not shares(search):
        return list(students)
    groups = _of_one_root(students) if _may_agree(search) else [[trial] for trial in students if trial.id in kept]
    starts = {trial.id: prefix for group in groups for trial, prefix in _starts(group, kept)}
    wanted: dict[str, dict[int, str]] = {}
    for prefix in starts.values():
        wanted.setdefault(prefix.trial, {})[prefix.epoch] = prefix.file
    return [
        replace(trial, prefix=starts.get(trial.id), hands_on=wanted[trial.id]) if trial.id in wanted
        else replace(trial, prefix=starts[trial.id]) if trial.id in starts else trial
        for trial in students
    ]  # fmt: skip


def shares(search: Search) -> bool:
    """Return whether trials of a study share the epochs in which they agree.

    Where results decide about trials, or which there are, each is trained by itself: neither the results by which
    it is judged nor its wait may follow from another one.
    """
    return search.share_prefixes and isinstance(search.scheduler, Fifo) and not adds_trials(search)


def _may_agree(search: Search) -> bool:
    """Return whether the space has a key that need not count from the first step on."""
    return any(_counts_later(key, domain) for key, domain in search.space.items())


def _counts_later(key: str, domain: Any) -> bool:
    sections = isinstance(domain, tuple) and any(isinstance(value, dict | list | tuple) for value in domain)
    return key.startswith("schedule") or key.rpartition(".")[2] in ALWAYS or sections


def _of_one_root(students: Iterable[PlannedTrial]) -> Iterator[list[PlannedTrial]]:
    roots, found = ByObject[str](), dict[tuple[str, ...], list[PlannedTrial]]()
    for trial in students:
        found.setdefault(_root(trial.spec, roots), []).append(trial)
    return iter(found.values())


def _root(spec: TrialSpec, texts: ByObject[str]) -> tuple[str, ...]:
    """Return a key that trials of one root share; parts that thousands of trials have in common are written once."""
    root = bare(spec)
    parts = (spec.dataset, spec.student, spec.teacher)
    written = (texts.of(lambda part=part: part.model_dump_json(), part) if part else "" for part in parts)  # type: ignore[misc]
    schedule = texts.of(root.schedule.model_dump_json, spec.schedule)
    return (*written, root.method.model_dump_json(), schedule, str(spec.seed), str(spec.init), str(spec.shares))


def _starts(group: Sequence[PlannedTrial], kept: Mapping[str, Start]) -> Iterator[tuple[PlannedTrial, Prefix]]:
    """Yield the trials that start from the state of one that comes before them, or that has begun."""
    per_epoch = steps_per_epoch(group[0].spec)
    if per_epoch is None or (
        len(group) == 1 and group[0].id not in kept
    ):  # the data is not here, or nobody to share with
        return
    begun = {trial.id: epochs for trial in group if (epochs := _epochs_done(trial))}
    known = [_donor(trial, per_epoch, begun[trial.id]) for trial in group if trial.id in begun]
    known = [donor for donor in known if not donor.over or epochs_with_state(donor.directory)]
    forest, starts = Forest(), dict[str, tuple[Donor, int]]()
    for trial in group:
        if trial.id in begun:
            continue
        own = _donor(trial, per_epoch)
        nearest = forest.nearest(own.turns)
        planned = [_who_trains(nearest, parting(nearest.turns, own.turns).epochs, starts)] if nearest else []
        possible = [longest([*known, *planned], own.turns), kept.get(trial.id)]
        found = max((start for start in possible if start), key=lambda start: start[1], default=None)
        if found is not None:
            donor, epoch, file = found
            starts[trial.id] = donor, epoch
            yield trial, prefix_of(donor, epoch, file, per_epoch)
        forest.add(own)


def _donor(trial: PlannedTrial, per_epoch: int, done: int = 0) -> Donor:
    return Donor(trial.id, trial.directory, turns(trial.spec, per_epoch), done, over=is_over(trial.status))


def _who_trains(donor: Donor, epochs: int, starts: Mapping[str, tuple[Donor, int]]) -> Donor:
    """Return the trial that makes a donor's first ``epochs`` epochs: the donor may itself start behind them."""
    while donor.id in starts and starts[donor.id][1] >= epochs:
        donor = starts[donor.id][0]
    return donor


def longest(donors: Iterable[Donor], own: tuple[Turn, ...]) -> Start | None:
    """Return the furthest state from which a trial of one root with these turns can start: whose, after which epoch, the file.

    ``None`` if there is none.
    """
    offers = ((donor, donor.offer(parting(donor.turns, own).epochs)) for donor in donors)
    possible = [(donor, *offer) for donor, offer in offers if offer is not None and offer[0] > 0]
    return max(possible, key=lambda one: one[1], default=None)


def prefix_of(donor: Donor, epoch: int, file: str, per_epoch: int) -> Prefix:
    """Return where a trial starts that takes a donor's state after an epoch of ``per_epoch`` steps."""
    return Prefix(trial=donor.id, directory=str(donor.directory), file=file, epoch=epoch, step=epoch * per_epoch)


def with_file(prefix: Prefix) -> Prefix:
    """Return where a trial starts, with the file that is there by now: a state that stays may have come in place of another."""
    return prefix.model_copy(update={"file": handed_on(Path(prefix.directory), prefix.epoch)})


def _epochs_done(trial: PlannedTrial) -> int:
    if trial.status == "new":  # of thousands, most are
        return 0
    history = read_history(trial.directory)
    return history[-1].epoch if history else 0


@dataclass(frozen=True)
class SharedSteps:
    """Hold how many ``trials`` of how many ``of`` start from the state of another one, the steps ``made`` and the ``whole``."""

    trials: int
    of: int
    made: int
    whole: int


def shared_steps(trials: Iterable[PlannedTrial], spared_by: Callable[[PlannedTrial], int]) -> SharedSteps | None:
    """Return the savings of the students by shared prefixes; ``None`` where none is shared or steps are not known.

    ``spared_by`` is ``steps_spared`` for a plan, ``steps_saved`` for results.
    """
    students = [trial for trial in trials if trial.role == "student"]
    spared = [steps for trial in students if (steps := spared_by(trial))]
    if not spared or any(trial.estimate.steps is None for trial in students):
        return None
    whole = sum(trial.estimate.steps or 0 for trial in students)
    return SharedSteps(len(spared), len(students), whole - sum(spared), whole)


def steps_spared(trial: PlannedTrial) -> int:
    """Return how many steps another trial makes for this one, or has made."""
    return trial.prefix.step if trial.prefix else trial.estimate.shared


def steps_saved(trial: PlannedTrial) -> int:
    """Return how many steps another trial has made for this one by now."""
    return steps_of_others(read_history(trial.directory)) if trial.prefix else trial.estimate.shared


def why_apart(search: Search) -> str:
    """Return why trials that may agree are trained apart; nothing where they are not, or by the user's choice."""
    if shares(search) or not search.share_prefixes or not _may_agree(search):
        return ""
    decides = (
        "its results decide which trials there are" if adds_trials(search) else f"{search.scheduler.kind} stops trials"
    )
    return f"shared prefixes: none, because {decides}: each is judged by its own epochs"
