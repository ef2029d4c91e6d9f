"""Recognise annotations in Pascal VOC's XML format: its own layout, and those of labelImg, CVAT and Roboflow."""

import posixpath
import re
from collections.abc import Iterator, Mapping

from orchestrator.first_study.files import Folder
from orchestrator.first_study.found import Found
from orchestrator.first_study.split_names import by_split, in_order
from trainers.schema.annotations import SplitName
from trainers.schema.user_file import read_bytes
from trainers.schema.voc_layout import LISTS, SUFFIXES, XML
from trainers.schema.voc_xml import LARGEST, VocXmlError, parse_voc_xml

PASCAL = re.compile(r"(?:^|/)VOC20\d\d(?:/|$)")
LOOKED_AT = 20  # XML files of a folder
STANDARD = {"annotations": "Annotations", "images": "JPEGImages"}


def find_voc(folder: Folder) -> Found | None:
    """Return the dataset that XML files describe, ``None`` where none is in VOC's format."""
    places = [
        at for at, names in folder.xml.items() if any(_is_annotation(folder, at, name) for name in names[:LOOKED_AT])
    ]
    if not places:
        return None
    listed = dict(_listed(folder, places))
    splits = listed or _by_folder(folder, places)
    settings = {} if _is_pascal(places) else {"first_pixel": 0}
    remarks = [] if listed else list(_unlabelled(folder, places, splits))
    return Found("voc", f"Pascal VOC's XML ({', '.join(places)})", dict(splits), settings, remarks)


def _is_annotation(folder: Folder, at: str, name: str) -> bool:
    try:
        parse_voc_xml(read_bytes(folder.root / at / name, LARGEST))
    except (OSError, VocXmlError):
        return False
    return True


def _listed(folder: Folder, places: list[str]) -> Iterator[tuple[SplitName, list[dict[str, str]]]]:
    """Yield the splits that lists of images name, beside one folder of annotations."""
    for at in places:
        top = posixpath.dirname(at) or "."
        for below in LISTS:
            lists = folder.text.get(posixpath.normpath(f"{top}/{below}"), [])
            named = in_order(by_split(name for name in lists if "_" not in name))
            for split, names in named.items():
                yield split, [{**_part(folder, at), "set": name.removesuffix(".txt")} for name in sorted(names)[:1]]
            if named:
                return


def _by_folder(folder: Folder, places: list[str]) -> dict[SplitName, list[dict[str, str]]]:
    named = in_order(by_split(places)) or {"train": places}
    return {split: [_part(folder, at) for at in found] for split, found in named.items()}


def _unlabelled(folder: Folder, places: list[str], splits: Mapping[SplitName, list[dict[str, str]]]) -> Iterator[str]:
    """Say how many images beside the annotations have none: a tool that skips empty images leaves the same as a mistake."""
    labelled = {name[: -len(XML)] for at in places for name in folder.xml[at]}
    used = {
        posixpath.normpath(posixpath.join(part["folder"], part.get("images", STANDARD["images"])))
        for parts in splits.values()
        for part in parts
    }
    count = sum(len(_stems(folder.images.get(at, [])) - labelled) for at in used)
    if count:
        yield f"{count} image{' has' if count == 1 else 's have'} no XML file and {'is' if count == 1 else 'are'} not used."


def _part(folder: Folder, at: str) -> dict[str, str]:
    """Return a part's folder, annotations and images; its images lie where most of the XML files' names are."""
    top = posixpath.dirname(at) or "."
    stems = {name[: -len(XML)] for name in folder.xml[at]}
    near = sorted(folder.images, key=lambda place: (place != at, posixpath.relpath(place, at).count("/"), place))
    images = max(near, key=lambda place: len(stems & _stems(folder.images[place])), default=at)
    common = posixpath.commonpath([at, images]) if "." not in (at, images) else "."
    top = common or "."
    below = {"annotations": posixpath.relpath(at, top), "images": posixpath.relpath(images, top)}
    return {"folder": top, **{key: value for key, value in below.items() if value != STANDARD[key]}}


def _stems(names: list[str]) -> set[str]:
    return {stem for name in names for stem, suffix in [posixpath.splitext(name)] if suffix.lower() in SUFFIXES}


def _is_pascal(places: list[str]) -> bool:
    """Return whether the folders are Pascal VOC's own, which counts pixels from 1; tools count from 0."""
    return all(PASCAL.search(at) for at in places)
