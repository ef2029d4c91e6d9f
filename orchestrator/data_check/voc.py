"""Read a split from a VOC folder, noting whatever is wrong in its lists and XML files."""

from collections import Counter
from pathlib import Path

from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.numbers import shown
from orchestrator.data_check.reason import reason
from orchestrator.data_check.split import Box, Image, Split
from trainers.spec import VocDataset, VocPart, class_names
from trainers.spec.dataset import require_below
from trainers.spec.voc_layout import image_file, names_in, set_file, xml_file
from trainers.spec.voc_xml import VocImage, VocXmlError, read_voc_xml


def read_voc(dataset: VocDataset, name: str, ledger: Ledger) -> Split:
    """Return the split ``name`` (``train`` or ``val``) as far as it can be read."""
    split, others = Split(name), Counter[str]()
    for part in dataset.train if name == "train" else dataset.val:
        _read_part(dataset, part, split, others, ledger)
    split.other_boxes = others.total()
    if others:
        names = ", ".join(f"{other} ({count})" for other, count in others.most_common(10))
        ledger.warning("objects of other names", f"dataset.{name}", f"objects that are no class of the study: {names}")
    return split


def _read_part(dataset: VocDataset, part: VocPart, split: Split, others: Counter[str], ledger: Ledger) -> None:
    root = Path(dataset.root)
    listed = set_file(root, part)
    try:
        names = names_in(root, part)
    except (OSError, UnicodeDecodeError) as error:
        ledger.error("unreadable annotation files", str(listed), f"cannot be read as a list of images: {reason(error)}")
        return
    if not names:
        ledger.error("unreadable annotation files", str(listed), "names no image")
    for image, count in Counter(names).items():
        if count > 1:
            ledger.error("duplicate image ids", f"{listed}: image {shown(image)}", f"is listed {count} times")
        try:
            require_below(image)
        except ValueError as error:
            ledger.error("images outside of the root", f"{listed}: image {shown(image)}", str(error))
            continue
        _read_image(dataset, part, image, split, others, ledger)


def _read_image(
    dataset: VocDataset, part: VocPart, name: str, split: Split, others: Counter[str], ledger: Ledger
) -> None:
    root = Path(dataset.root)
    path = xml_file(root, part, name)
    try:
        found = read_voc_xml(path)
    except VocXmlError as error:
        ledger.error("unreadable annotation files", str(path), str(error))
        return
    except (OSError, ValueError) as error:
        ledger.error("unreadable annotation files", str(path), f"cannot be read: {reason(error)}")
        return
    if found.size is None:
        ledger.warning("images without size", str(path), "gives no size of the image, which is read to learn it")
    split.images[path] = Image(image_file(root, part, name, found.file_name), found.size, str(path))
    _add_objects(found, path, split, others, dataset)


def _add_objects(found: VocImage, path: Path, split: Split, others: Counter[str], dataset: VocDataset) -> None:
    classes = class_names(dataset)
    for number, item in enumerate(found.objects, start=1):
        if item.name not in classes:
            others[item.name] += 1
            continue
        x1, y1, x2, y2 = (value - dataset.first_pixel for value in item.box)
        split.boxes.append(Box(path, item.name, (x1, y1, x2, y2), item.difficult, f"{path}: object {number}"))
