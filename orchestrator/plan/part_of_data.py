"""Make a part of a dataset: a quarter of the training images, chosen by a digest, beside links to the rest."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from orchestrator.study.schema import StudySpec
from trainers.schema import CocoDataset, VocDataset
from trainers.schema.atomic import write_text
from trainers.schema.dataset import coco_parts
from trainers.schema.user_file import LARGEST_JSON, read_bytes
from trainers.schema.voc_layout import PartFiles, standard_list

SHARE = 4  # one image of so many
WHOLE_BELOW = ("coco80", "voc20")  # only these large datasets are cut


def part_folder(dataset: CocoDataset | VocDataset, folder: Path) -> Path:
    """Return where the part of this dataset is or would be."""
    identity = hashlib.sha256(dataset.root.encode()).hexdigest()[:8]
    return folder / f"{dataset.kind}-quarter-{identity}"


def parts_of(studies: Iterable[StudySpec], folder: Path) -> dict[str, Path]:
    """Return the parts of the studies' large datasets by the root that they take the place of; nothing is written."""
    datasets = (study.dataset for study in studies)
    return {
        data.root: part_folder(data, folder)
        for data in datasets
        if isinstance(data, CocoDataset | VocDataset) and data.classes in WHOLE_BELOW
    }


def write_part(dataset: CocoDataset | VocDataset, target: Path) -> None:
    """Write the part of a dataset that is here; one that is written already stays.

    Images stay where they are, behind links. Raises ``OSError`` or ``ValueError`` when the dataset cannot be read.
    """
    if isinstance(dataset, CocoDataset):
        _write_coco(dataset, Path(dataset.root), target)
    else:
        _write_voc(dataset, Path(dataset.root), target)


def chosen(name: str) -> bool:
    """Return whether an image of this name is in the part: the same ones on every machine."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % SHARE == 0


def _write_coco(dataset: CocoDataset, root: Path, target: Path) -> None:
    train, val = coco_parts(dataset, "train")[0], coco_parts(dataset, "val")[0]  # the paper's datasets have one of each
    annotations = target / train.annotations
    for below in (train.images, val.images, val.annotations):
        _link(root / below, target / below)
    if not annotations.exists():
        content = json.loads(read_bytes(root / train.annotations, LARGEST_JSON))
        content["images"] = [image for image in content["images"] if chosen(image["file_name"])]
        kept = {image["id"] for image in content["images"]}
        content["annotations"] = [item for item in content["annotations"] if item["image_id"] in kept]
        _write(annotations, json.dumps(content))


def _write_voc(dataset: VocDataset, root: Path, target: Path) -> None:
    for part in (*dataset.train, *dataset.val):
        for below in (part.annotations, part.images):
            _link(root / part.folder / below, target / part.folder / below)
    for part in dataset.val:
        _link(standard_list(root, part), standard_list(target, part))
    for part in dataset.train:
        if not standard_list(target, part).exists():
            names = filter(chosen, PartFiles(root, part).names)
            _write(standard_list(target, part), "".join(f"{name}\n" for name in names))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_symlink():
        target.symlink_to(source.absolute())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
