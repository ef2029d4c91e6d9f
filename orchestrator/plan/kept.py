"""Let trials go on from states that finished trials of the store have kept: more epochs, or another end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from orchestrator.core.findings import Finding
from orchestrator.core.store import Store
from orchestrator.plan.estimate import steps_per_epoch
from orchestrator.plan.planner import Planner
from orchestrator.plan.prefixes import Donor, Start, longest, shares
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import KeepStates, Search
from orchestrator.study.wording import counted
from trainers.schema import TrialSpec
from trainers.schema.agreement import Turn, parting, parting_epochs, turns
from trainers.schema.atomic import remove, write_text
from trainers.schema.state_files import kept_file


def kept_states(keep: KeepStates, trial: PlannedTrial) -> dict[int, str]:
    """Return the files of the states that a trial keeps when it is over, by the epochs after which they are written."""
    per_epoch = steps_per_epoch(trial.spec)
    if keep == "none" or not per_epoch or trial.spec.segment is not None:
        return {}
    epochs = parting_epochs(trial.spec, per_epoch)
    return {epoch: kept_file(epoch) for epoch in (epochs[-1:] if keep == "last" else epochs)}


def keeping_nothing(loaded: LoadedStudy, students: Sequence[PlannedTrial]) -> Iterator[Finding]:
    """Warn about students that are to keep states and have none from which a longer training could go on."""
    keep = loaded.study.scaling.keep_states
    whole = (one for one in students if one.spec.segment is None and keep != "none" and steps_per_epoch(one.spec))
    without = [trial for trial in whole if not kept_states(keep, trial)]
    for trial in without[:1]:
        many = f", and {counted(len(without) - 1, 'other student')} as well" if len(without) > 1 else ""
        message = (
            f"{trial.id} keeps no state{many}: a longer training would part from it within its first epoch, and goes on "
            f"from ends of epochs only; give it more than {counted(steps_per_epoch(trial.spec) or 0, 'step')} (an epoch), or leave keep_states out"
        )
        yield Finding("warning", loaded.where("scaling.keep_states"), message)


def note_kept(store: Store, planner: Planner, trial: PlannedTrial) -> None:
    """Write down the settings of a trial that keeps states, for plans that look for trials of its root."""
    path = store.kept / planner.root_of(trial.spec) / f"{trial.id}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, trial.spec.model_dump_json())


def forget_kept(store: Store) -> None:
    """Remove the notes about trials that keep no state any more."""
    for path in store.kept.glob("*/*.json"):
        if not any(store.trial_dir(path.stem).glob("kept-*.pt")):
            remove(path)


def kept_for(
    store: Store, planner: Planner, search: Search, students: Iterable[PlannedTrial]
) -> tuple[dict[str, Start], list[Finding]]:
    """Return from which kept states of other trials the new ones among ``students`` can start, and findings about it."""
    if not shares(search) or not store.kept.is_dir():
        return {}, []
    starts, parted = dict[str, Start](), dict[str, tuple[str, str]]()
    for trial in students:
        per_epoch = steps_per_epoch(trial.spec)
        if trial.status != "new" or not per_epoch:
            continue
        own, donors = (
            turns(trial.spec, per_epoch),
            list(_donors(store, planner.root_of(trial.spec), trial.id, per_epoch)),
        )
        if (found := longest(donors, own)) is not None:
            starts[trial.id] = found
        elif donors:
            parted[trial.id] = _why_not(donors, own)
    return starts, [*_told(starts), *_told_not(parted)]


def _why_not(donors: Iterable[Donor], own: tuple[Turn, ...]) -> tuple[str, str]:
    """Return the trial that agrees longest with one of these turns, and why none of its states serves."""
    agreed, donor = max(((parting(donor.turns, own), donor) for donor in donors), key=lambda one: one[0].epochs)
    if not agreed.epochs:
        return donor.id, f"they part at the beginning ({agreed.reason})"
    return donor.id, f"they agree until epoch {agreed.epochs} ({agreed.reason}), and it kept no state from before"


def _told(starts: Mapping[str, Start]) -> Iterator[Finding]:
    for trial, (donor, epoch, _) in islice(starts.items(), 1):
        many = f", and {counted(len(starts) - 1, 'other trial')} from kept states as well" if len(starts) > 1 else ""
        yield Finding("note", "schedule", f"{trial} goes on from trial {donor.id} after epoch {epoch}{many}")


def _told_not(parted: Mapping[str, tuple[str, str]]) -> Iterator[Finding]:
    for trial, (donor, reason) in islice(parted.items(), 1):
        many = f"; so with {counted(len(parted) - 1, 'other trial')}" if len(parted) > 1 else ""
        message = f"{trial} is trained from the beginning, not from a state of trial {donor}: {reason}{many}"
        yield Finding("note", "schedule", message)


def _donors(store: Store, root: str, but: str, per_epoch: int) -> Iterator[Donor]:
    """Yield the trials of a root that have kept states."""
    for path in sorted((store.kept / root).glob("*.json")):
        directory = store.trial_dir(path.stem)
        if path.stem != but and any(directory.glob("kept-*.pt")):
            with suppress(OSError, ValueError):  # a damaged note is as good as none
                spec = TrialSpec.model_validate_json(path.read_text())
                yield Donor(path.stem, directory, turns(spec, per_epoch), over=True)
