"""Report annotation problems in a plan: those that stop training, and annotations that training leaves out."""

from collections.abc import Collection, Iterator

from orchestrator.core.findings import Finding
from orchestrator.dataset_check.data_files import missing_from
from orchestrator.dataset_check.readings import READABLE, SplitReading, is_too_large, reading
from orchestrator.dataset_check.summary import empty_images
from trainers.schema.annotations import FileDataset, SplitName
from trainers.schema.annotations.kinds import (
    ABSENT_CLASSES,
    DOUBTFUL,
    MISSING_IMAGES,
    UNKNOWN_CATEGORIES,
    UNKNOWN_IMAGES,
    UNREADABLE,
    WITHOUT_BOXES,
)
from trainers.schema.annotations.problems import problems
from trainers.schema.annotations.usage import listed
from trainers.schema.dataset import source_splits

UNREAD = (
    f"annotations above {READABLE >> 20} MiB are checked when training begins; trials' ids stand for their content, not for how "
    "earlier releases read it"
)


def annotation_findings(
    dataset: FileDataset, split: SplitName, where: str, unknown: Collection[str]
) -> Iterator[Finding]:
    """Yield problems and notes about a split's annotations; a file that is too large yields one note.

    ``unknown`` are classes of which it is told already that no box has their name.
    """
    found = reading(dataset, split)
    if found is None:
        if is_too_large(dataset, split):
            yield Finding("note", where, UNREAD)
        return
    if split in source_splits(dataset):
        yield from _of_files(found, dataset, split, where, unknown)
    if found.notes.stopping is None:
        yield from (Finding(item.level, where, item.message) for item in problems(found.usage, dataset, unknown))
        yield from _left_out(found, where)


def _of_files(
    found: SplitReading, dataset: FileDataset, split: SplitName, where: str, unknown: Collection[str]
) -> Iterator[Finding]:
    """Yield findings about the files that a split is read from: told once where they are divided."""
    yield from _stopping(found, where, unknown)
    if not missing_from(dataset, split):  # a folder that is not there explains its images
        yield from _missing(found, where)
    yield from _doubtful(found, where)
    if found.usage.mended:
        message = f"mended on reading: {listed(found.usage.mended)}; `stillhouse data check` tells how"
        yield Finding("warning", where, message)


def _stopping(found: SplitReading, where: str, unknown: Collection[str]) -> Iterator[Finding]:
    """Yield each kind of mistake once, at its first place; an unreadable file hides all other kinds."""
    told_kinds = [UNREADABLE] if UNREADABLE in found.notes.told else found.notes.told
    for kind in told_kinds:
        if kind.stops and not (kind is ABSENT_CLASSES and found.names.undeclared <= set(unknown)):
            told = found.notes.told[kind]
            more = found.notes.counts[kind] - 1 if kind is not UNREADABLE else len({note.where for note in told}) - 1
            yield Finding("error", where, f"{told[0]}{f' (and {more} more {kind.called(more)})' if more else ''}")


def _missing(found: SplitReading, where: str) -> Iterator[Finding]:
    told, count = found.notes.told.get(MISSING_IMAGES), found.notes.counts[MISSING_IMAGES]
    if told:
        more = f" (and {count - 1} more of {found.usage.images_used})" if count > 1 else ""
        yield Finding("missing", where, f"{told[0].message}{more}")


def _doubtful(found: SplitReading, where: str) -> Iterator[Finding]:
    """Yield trainable content that is usually a mistake, each kind once."""
    for kind in DOUBTFUL:
        if kind in found.notes.told:
            more = f" (and {found.notes.counts[kind] - 1} more)" if found.notes.counts[kind] > 1 else ""
            yield Finding("warning", where, f"{found.notes.told[kind][0]}{more}")


def _left_out(found: SplitReading, where: str) -> Iterator[Finding]:
    """Yield content that is left out; of images without boxes a note, for every trainer leaves them out."""
    counts = found.usage
    if counts.split == "train" and (empty := counts.left_out.get(WITHOUT_BOXES.name)):
        yield Finding("note", where, empty_images(empty, counts.images))
    odd = {name: count for name, count in counts.left_out.items() if name != WITHOUT_BOXES.name}
    if odd:
        what = "trained on" if counts.split == "train" else "evaluated"
        message = f"not {what}: {listed(odd)}{_example(found)}; `stillhouse data check` tells more"
        yield Finding("warning", where, message)


def _example(found: SplitReading) -> str:
    """Return the first annotation that refers to nothing: all of them mostly have one cause."""
    notes = [found.notes.told[kind][0] for kind in (UNKNOWN_IMAGES, UNKNOWN_CATEGORIES) if kind in found.notes.told]
    return f" ({notes[0]})" if notes else ""
