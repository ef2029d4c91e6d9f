"""Find a division by groups that groups nothing, or too much."""

import posixpath
from collections.abc import Sequence

from orchestrator.dataset_check.readings import reading
from orchestrator.study.wording import counted
from trainers.schema.annotations import FileDataset
from trainers.schema.annotations.divide import group_of
from trainers.schema.dataset import splits_of


def useless_groups(dataset: FileDataset) -> str | None:
    """Return the sentence that says that ``split.group`` keeps no two images together, or too many; else ``None``."""
    division = dataset.split
    if division is None or division.group is None:
        return None
    splits = splits_of(dataset)
    paths = [path for split in splits if (one := reading(dataset, split)) is not None for path in one.paths]
    if len(paths) < len(splits):
        return None
    count = _count(paths, dataset)
    if count < len(splits):
        return f"the {len(paths)} images form {counted(count, 'group')}, too few for {', '.join(splits)}"
    if count == len(paths):
        return f"each of the {len(paths)} images is a group of its own, such as {paths[0]}: none are kept together"
    return None


def _count(paths: Sequence[str], dataset: FileDataset) -> int:
    assert dataset.split is not None
    return len({group_of(posixpath.relpath(path, dataset.root), dataset.split) for path in paths})
