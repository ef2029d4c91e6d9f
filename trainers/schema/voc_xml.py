"""Read one annotation file in Pascal VOC's XML format."""

from typing import Any, NamedTuple, NoReturn
from xml.etree import ElementTree as ET

LARGEST = 16 * 2**20  # bytes; the largest file of Pascal VOC has 40 thousand
TAGS = 250_000  # beginnings of tags; an element takes a hundred times its bytes
CORNERS = ("xmin", "ymin", "xmax", "ymax")
FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
Corners = tuple[float, float, float, float]


class VocXmlError(ValueError):
    """Report a file that is not an annotation; the message is one phrase without the file's name."""


class VocObject(NamedTuple):
    """Hold one object: name, box as (xmin, ymin, xmax, ymax) in the file's own pixel count, and whether it is difficult."""

    name: str
    box: Corners
    difficult: bool


class VocImage(NamedTuple):
    """Hold one annotation file; ``size`` is (width, height), ``None`` where the file gives none."""

    file_name: str | None
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def parse_voc_xml(content: bytes) -> VocImage:
    """Return the annotation in a file's ``content``.

    Numbers may be anything that Python's ``float`` takes, also NaN. Raises ``VocXmlError`` for damaged files and for
    those that declare a document type, whose entities could expand without bound.
    """
    if len(content) > LARGEST:
        raise VocXmlError(f"has {len(content)} bytes, more than {LARGEST}")
    if len(content) > TAGS and content.count(b"<") > TAGS:
        raise VocXmlError(f"has more than {TAGS} tags")
    return _annotation(_parse(content))


def whole_box(item: VocObject, first_pixel: int) -> tuple[int, int, int, int]:
    """Return a box as (x1, y1, x2, y2) in whole pixels from 0, cut as mmdet does; raises for NaN and infinity."""
    x1, y1, x2, y2 = item.box
    return int(x1) - first_pixel, int(y1) - first_pixel, int(x2) - first_pixel, int(y2) - first_pixel


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:
        raise VocXmlError("declares a document type, which annotations do not need")


def _parse(content: bytes) -> Any:
    try:
        return ET.fromstring(content, ET.XMLParser(target=_NoDoctype()) if _may_have_doctype(content) else None)
    except VocXmlError:
        raise
    except (ET.ParseError, ValueError, LookupError) as error:
        raise VocXmlError(f"is not XML: {error}") from error


def _may_have_doctype(content: bytes) -> bool:
    """Return whether a document type can be declared; hearing of it takes the parser a fifth of its time.

    Expat reads markup as ASCII in every encoding but UTF-16, in which each of its characters has a zero byte.
    """
    return b"<!DOCTYPE" in content or b"\0" in content


def _annotation(root: Any) -> VocImage:
    if root.tag != "annotation":
        raise VocXmlError(f"begins with <{root.tag:.40}> instead of <annotation>")
    size = _size(root.find("size"))
    objects = [_object(number, element) for number, element in enumerate(root.findall("object"), start=1)]
    return VocImage(root.findtext("filename"), size, tuple(objects))


def _size(element: Any) -> tuple[int, int] | None:
    if element is None:
        return None
    width, height = int(_number(element, "width", "size")), int(_number(element, "height", "size"))
    return (width, height) if width > 0 and height > 0 else None  # some tools write zeros


def _object(number: int, element: Any) -> VocObject:
    name, box = element.findtext("name"), element.find("bndbox")
    if not name or box is None:
        raise VocXmlError(f"object {number} has no {'bndbox' if name else 'name'}")
    corners, difficult = _corners(box, number), element.findtext("difficult")
    if difficult in (None, "0", "1"):  # what nearly all files say
        return VocObject(name, corners, difficult == "1")
    return VocObject(name, corners, _flag(difficult, f"object {number}"))


def _flag(text: str, where: str) -> bool:
    """Return whether an object is difficult.

    Pascal VOC's tools and mmdet take every number but 0 for yes; files that grade difficulty would lose their objects.
    """
    found = FLAGS.get(text.strip().lower())
    if found is None:
        raise VocXmlError(f"{where}: difficult is {text[:40]!r}, not 0 or 1")
    return found


def _corners(box: Any, number: int) -> Corners:
    text = box.findtext
    try:
        return float(text("xmin")), float(text("ymin")), float(text("xmax")), float(text("ymax"))
    except (TypeError, ValueError):  # one of them is missing or no number: only now it is asked which
        x1, y1, x2, y2 = (_number(box, key, f"object {number}") for key in CORNERS)
        return x1, y1, x2, y2


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
