"""Read one annotation file in Pascal VOC's XML format."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

LARGEST = 16 * 2**20  # bytes; the largest file of Pascal VOC has 40 thousand
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocXmlError(ValueError):
    """Report a file that is not an annotation; the message is one phrase without the file's name."""


@dataclass(frozen=True, slots=True)
class VocObject:
    """Hold one object: name, box as (xmin, ymin, xmax, ymax) in the file's own pixel count, and whether it is difficult."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True, slots=True)
class VocImage:
    """Hold one annotation file; ``size`` is (width, height), ``None`` where the file gives none."""

    file_name: str | None
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def read_voc_xml(path: str | Path) -> VocImage:
    """Return the annotation in ``path``.

    Numbers may be anything that Python's ``float`` takes, also NaN. Raises ``VocXmlError`` for damaged files and for
    those that declare a document type, whose entities could expand without bound; ``OSError`` for unreadable ones.
    """
    with open(path, "rb") as file:  # noqa: PTH123  text as a path, for the same reason as in voc_layout.py
        content = file.read()
    if len(content) > LARGEST:
        raise VocXmlError(f"has {len(content)} bytes, more than {LARGEST}")
    return _annotation(_parse(content))


def whole_box(item: VocObject, first_pixel: int) -> list[int]:
    """Return a box as (x1, y1, x2, y2) in whole pixels from 0, cut as mmdet does; raises for NaN and infinity."""
    return [int(value) - first_pixel for value in item.box]


def is_inside(box: Sequence[float], size: tuple[int, int]) -> bool:
    """Tell whether a box (x1, y1, x2, y2) and an image of ``size`` (width, height) have an area in common."""
    return min(box[2], size[0]) > max(box[0], 0) and min(box[3], size[1]) > max(box[1], 0)


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise VocXmlError("declares a document type, which annotations do not need")


def _parse(content: bytes) -> Any:
    try:
        return ET.fromstring(content, ET.XMLParser(target=_NoDoctype()))
    except VocXmlError:
        raise
    except (ET.ParseError, ValueError, LookupError) as error:
        raise VocXmlError(f"is not XML: {error}") from error


def _annotation(root: Any) -> VocImage:
    if root.tag != "annotation":
        raise VocXmlError(f"begins with <{root.tag:.40}> instead of <annotation>")
    objects = enumerate(root.findall("object"), start=1)
    return VocImage(root.findtext("filename"), _size(root.find("size")), tuple(_object(*item) for item in objects))


def _size(element: Any) -> tuple[int, int] | None:
    if element is None:
        return None
    width, height = (int(_number(element, key, "size")) for key in ("width", "height"))
    return (width, height) if width > 0 and height > 0 else None  # some tools write zeros


def _object(number: int, element: Any) -> VocObject:
    where = f"object {number}"
    name, box = element.findtext("name"), element.find("bndbox")
    if not name or box is None:
        raise VocXmlError(f"{where} has no {'bndbox' if name else 'name'}")
    x1, y1, x2, y2 = (_number(box, key, where) for key in CORNERS)
    difficult = element.find("difficult") is not None and _number(element, "difficult", where) != 0
    return VocObject(name, (x1, y1, x2, y2), difficult)


def _number(parent: Any, key: str, where: str) -> float:
    text = parent.findtext(key)
    if text is None:
        raise VocXmlError(f"{where} has no {key}")
    try:
        value = float(text)
    except ValueError:
        raise VocXmlError(f"{where}: {key} is no number: {text[:40]!r}") from None
    if key in ("width", "height") and not abs(value) < 1e9:
        raise VocXmlError(f"{where}: {key} is {value:g}")
    return value
