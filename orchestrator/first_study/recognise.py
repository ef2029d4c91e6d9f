"""Recognise the format of a folder's annotations."""

from orchestrator.core.errors import UserError
from orchestrator.first_study.coco_folder import find_coco
from orchestrator.first_study.files import Folder
from orchestrator.first_study.found import Found
from orchestrator.first_study.voc_folder import find_voc
from orchestrator.first_study.yolo_folder import find_yolo

FORMATS = (find_coco, find_voc, find_yolo)  # a folder that holds several is read by the first


def recognise(folder: Folder) -> Found:
    """Return the dataset in a folder; raise ``UserError`` that says what lies there where none is recognised."""
    found = [dataset for find in FORMATS if (dataset := find(folder)) is not None]
    if not found:
        raise UserError(f"{folder.root}: no boxes in COCO's JSON, VOC's XML or YOLO's text format; {_contents(folder)}")
    chosen = found[0]
    chosen.remarks += [f"Also here, and not used: {other.what}." for other in found[1:]]
    if not folder.image_count:
        raise UserError(f"{folder.root}: {chosen.what} was found, and no image")
    return chosen


def _contents(folder: Folder) -> str:
    kinds = {"image": folder.images, "JSON": folder.json, "XML": folder.xml, "text": folder.text, "YAML": folder.yaml}
    counts = {kind: sum(map(len, files.values())) for kind, files in kinds.items()}
    there = ", ".join(f"{count} {kind} file{'s' * (count != 1)}" for kind, count in counts.items() if count)
    return f"there are {there}" if there else "the folder holds none of their files"
