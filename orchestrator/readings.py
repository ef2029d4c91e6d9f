"""Read a dataset's annotations once for a plan, unless they are too large to be read in a moment."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trainers.spec import VocDataset
from trainers.spec.annotations import FileDataset, Notes, SplitName, read_split
from trainers.spec.annotations.changed import changed_readings
from trainers.spec.annotations.usage import Usage, usage
from trainers.spec.voc_layout import set_file

READABLE = 64 * 2**20  # bytes of a COCO file that a plan reads
REMEMBERED = 16  # splits
Stamp = tuple[tuple[str, int, int], ...]  # path, size and time of what tells that a split has changed


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold what a split's annotations say: counts, oddities, category names, and what is read otherwise than before.

    ``others`` counts the boxes of names that are no class of the study.
    """

    usage: Usage
    notes: Notes
    names: tuple[str, ...]
    others: dict[str, int]
    changed: tuple[str, ...]


def reading(dataset: FileDataset, split: SplitName) -> Reading | None:
    """Return what a split's annotations say, ``None`` where a file is missing or too large for a plan.

    A split is read once in a process while its files have the same size and time.
    """
    try:
        stamp = _stamp(dataset, split)
    except OSError:
        return None
    if not isinstance(dataset, VocDataset) and (stamp[0][1] > READABLE or Path(stamp[0][0]).is_dir()):
        return None
    return _read(dataset, split, stamp)


def _stamp(dataset: FileDataset, split: SplitName) -> Stamp:
    """Return the size and time of a COCO file; of VOC folders those of the lists and of the folders with XML files."""
    root = Path(dataset.root)
    if not isinstance(dataset, VocDataset):
        return (_stamp_of(root / (dataset.train if split == "train" else dataset.val).annotations),)
    parts = dataset.train if split == "train" else dataset.val
    lists = [_stamp_of(set_file(root, part)) for part in parts]
    return (*lists, *(_stamp_of(root / part.folder / part.annotations) for part in parts))


def _stamp_of(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


@lru_cache(REMEMBERED)
def _read(dataset: FileDataset, split: SplitName, stamp: Stamp) -> Reading:
    found = read_split(dataset, split)
    counts = usage(found, dataset)
    return Reading(counts, found.notes, found.names, dict(found.others), changed_readings(found))
