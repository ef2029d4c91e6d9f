"""Digest the data that a trial reads, so that its identity is the content and not the path."""

import hashlib
from pathlib import Path

from orchestrator.fingerprint import fingerprint
from trainers.spec import CocoDataset, DatasetSpec, VocDataset, VocPart, digest
from trainers.spec.voc_layout import names_in, set_file, xml_file

MISSING = "missing"


def dataset_digest(dataset: DatasetSpec) -> str:
    """Return a digest of the dataset's annotations, or ``missing`` when they are not on this machine.

    Of VOC datasets these are the lists of images and every XML file that they name. Images are not read (COCO's are
    19 GB): their names, and mostly sizes, stand in the annotations. The shapes dataset is a function of its settings.
    """
    if isinstance(dataset, CocoDataset):
        return _coco_digest(dataset)
    return _voc_digest(dataset) if isinstance(dataset, VocDataset) else fingerprint(dataset.identity())


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, ``missing`` when there is none."""
    return digest.file_digest(Path(path)) if Path(path).is_file() else MISSING


def _coco_digest(dataset: CocoDataset) -> str:
    files = [Path(dataset.root) / split.annotations for split in (dataset.train, dataset.val)]
    if not all(file.is_file() for file in files):
        return MISSING
    return fingerprint([file_digest(file) for file in files])


def _voc_digest(dataset: VocDataset) -> str:
    root = Path(dataset.root)
    try:
        return fingerprint([[_part_digest(root, part) for part in parts] for parts in (dataset.train, dataset.val)])
    except (OSError, ValueError):  # what is damaged is told by the preflight and by `data check`
        return MISSING


def _part_digest(root: Path, part: VocPart) -> str:
    total = hashlib.sha256(set_file(root, part).read_bytes())
    for name in names_in(root, part):
        total.update(hashlib.sha256(xml_file(root, part, name).read_bytes()).digest())
    return total.hexdigest()
