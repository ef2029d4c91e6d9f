"""Digest the data that a trial reads, so that its identity is the content and not the path."""

from pathlib import Path

from orchestrator.fingerprint import fingerprint
from trainers.spec import CocoDataset, DatasetSpec, remote

MISSING = "missing"


def dataset_digest(dataset: DatasetSpec) -> str:
    """Return a digest of the dataset's annotations, or ``missing`` when they are not on this machine.

    Images are not read (COCO's are 19 GB): their names and sizes stand in the annotations. The shapes dataset is a
    function of its settings.
    """
    if not isinstance(dataset, CocoDataset):
        return fingerprint(dataset.model_dump(mode="json", exclude={"evaluator"}))
    files = [Path(dataset.root) / split.annotations for split in (dataset.train, dataset.val)]
    if not all(file.is_file() for file in files):
        return MISSING
    return fingerprint([file_digest(file) for file in files])


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, ``missing`` when there is none."""
    return remote.file_digest(Path(path)) if Path(path).is_file() else MISSING
