"""Convert a dataset of any format to COCO's JSON, one file a split; the images stay where they are unless asked."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.core.errors import OperationError, UserError
from orchestrator.study.plain_yaml import as_yaml
from orchestrator.study.wording import counted
from trainers.schema.annotations import AnnotatedSplit, FileDataset, Image, read_split
from trainers.schema.annotations.as_coco import coco_content, size_in_file
from trainers.schema.atomic import write_text
from trainers.schema.dataset import class_names, splits_of
from trainers.schema.file_names import NameRefused, require_below

SECTION, IMAGES = "dataset.yaml", "images"
REPLACED = {"kind", "root", "train", "val", "test", "split", "data", "first_pixel", "classes", "images_digest"}


@dataclass(frozen=True)
class Conversion:
    """Hold the files that a conversion would write: texts by file, and copies of images by target.

    ``counts`` are the numbers of images and boxes of each split, ``remarks`` the oddities that were left out, in words.
    """

    texts: dict[Path, str]
    copies: dict[Path, Path]
    counts: dict[str, tuple[int, int]]
    remarks: tuple[str, ...]

    @property
    def existing(self) -> list[Path]:
        """Return the files that writing would replace."""
        return [path for path in (*self.texts, *self.copies) if path.exists()]

    def write(self) -> None:
        """Write the files, the dataset section last; raise ``OperationError`` where that fails."""
        try:
            for target, source in self.copies.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            for path, text in self.texts.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, text)
        except OSError as error:
            raise OperationError(f"{error.filename}: {error.strerror}") from error


def convert(dataset: FileDataset, folder: Path, *, copy_images: bool) -> Conversion:
    """Return the conversion of ``dataset`` to ``folder``; writes nothing.

    Raises ``UserError`` when a split cannot be read as training would read it, or an image lies outside of the root.
    """
    splits = [_read(dataset, name) for name in splits_of(dataset)]
    root, old_root = folder.absolute(), Path(dataset.root).absolute()
    names = {image.path: _below(image.path, old_root) for split in splits for image in split.images}
    texts = {root / f"{split.name}.json": _json(split, class_names(dataset), names) for split in splits}
    common = root if copy_images else Path(os.path.commonpath([root, old_root]))
    images = IMAGES if copy_images else _relative(old_root, common)
    texts[root / SECTION] = _yaml(_section(dataset, splits, root, common, images))
    copies = {root / IMAGES / name: Path(path) for path, name in names.items()} if copy_images else {}
    counts = {
        str(split.name): (len(split.images), sum(box.evaluated for image in split.images for box in image.boxes))
        for split in splits
    }
    return Conversion(texts, copies, counts, tuple(_remarks(splits)))


def _json(split: AnnotatedSplit, classes: Iterable[str], names: Mapping[str, str]) -> str:
    """Return a split as JSON; ``names`` are the files' names by path.

    A box that evaluation does not know of, such as one without area in a VOC file, is left out: evaluation knows every box
    of a COCO file.
    """

    def file_of(image: Image) -> dict[str, Any]:
        size = {} if image.size is None else {"width": image.width, "height": image.height}
        return {"file_name": names[image.path], **size}

    images = [(image, [box for box in image.boxes if box.evaluated]) for image in split.images]
    return json.dumps(coco_content(images, classes, file_of), ensure_ascii=False, allow_nan=False) + "\n"


def _read(dataset: FileDataset, name: Any) -> AnnotatedSplit:
    split = read_split(dataset, name, partial(size_in_file, rule=dataset.pixel_rule))
    if (note := split.notes.stopping) is not None:
        raise UserError(f"{note}; stillhouse data check lists everything that is wrong")
    return split


def _below(path: str, root: Path) -> str:
    """Return an image's name below the root."""
    name = os.path.relpath(path, root)
    try:
        return require_below(name)
    except NameRefused as error:
        raise UserError(f"{path} {error}: only images below {root} can be converted") from error


def _section(
    dataset: FileDataset, splits: Iterable[AnnotatedSplit], root: Path, common: Path, images: str
) -> dict[str, Any]:
    """Return the dataset section of a study on the converted data: the settings of the old one with the new files."""
    kept = dataset.model_dump(mode="json", exclude_defaults=True, exclude=REPLACED)
    files = {
        str(split.name): {"annotations": _relative(root / f"{split.name}.json", common), "images": images}
        for split in splits
    }
    start = {"kind": "coco", "root": os.path.relpath(common, root)}
    return {**start, **files, "classes": list(class_names(dataset)), **kept}


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path, start)).as_posix()


def _remarks(splits: Iterable[AnnotatedSplit]) -> Iterable[str]:
    for split in splits:
        if others := split.others.total():
            yield f"{split.name}: left out: {counted(others, 'box', 'boxes')} of other names than the classes"
        dropped = sum(not box.evaluated for image in split.images for box in image.boxes)
        if dropped:
            yield f"{split.name}: left out: {counted(dropped, 'box', 'boxes')} that nothing is trained or scored on"


def _yaml(section: dict[str, Any]) -> str:
    return "dataset:\n" + "".join(f"  {key}: {as_yaml(value, None)}\n" for key, value in section.items())
