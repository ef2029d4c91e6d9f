"""Fetch trials' recorded detections on chosen images."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

from trainers.schema import split_errors
from trainers.schema.foreign_json import parse_json
from trainers.schema.record import ERROR

FOLDER = "predictions/"
INDEX, SCORES = f"{FOLDER}index.json", f"{FOLDER}scores.json"
CURVES = tuple(f"{FOLDER}{name}" for name in (split_errors.CURVES, split_errors.CONFUSIONS))
CURVES_SHARE = 3  # curves and confusions take at most one part in so many of the room
TAG = "stillhouse.predictions"  # of a trial's run that has some
JPEG = "data:image/jpeg;base64,"
ERRORS = "text/plain; charset=utf-8"  # of the end of a failed trial's log
KINDS = {".json": "application/json", ".jpg": "image/jpeg"}
LARGEST = 4_000_000  # bytes of a file


class Artifacts(Protocol):
    """Read files that belong to runs."""

    def artifact(self, run: str, path: str, largest: int) -> bytes | None:
        """Return a file of a run, ``None`` when there is none or it has more than ``largest`` bytes."""


@dataclass
class Kept:
    """Hold files for an export by ``run/path``, and notes about those left out."""

    content: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def kind_of(path: str) -> str | None:
    """Return the content type of a file that pages may ask for, ``None`` for every other path."""
    if path == ERROR:
        return ERRORS
    parts = path.split("/")
    plain = path.startswith(FOLDER) and path.isprintable() and "\\" not in path and not {"", ".", ".."} & set(parts)
    return KINDS.get(f".{path.rpartition('.')[2]}") if plain and len(path) < 300 else None


def predictions_of(
    studies: Sequence[Mapping[str, Any]], trials: Sequence[Mapping[str, Any]], artifacts: Artifacts, room: int
) -> Kept:
    """Return the files that the page would request, picture by picture, until ``room`` bytes are used."""
    kept = Kept()
    for study in studies:
        runs = set(study["runs"])  # those included that another study has trained
        looked = [trial["run"] for trial in trials if trial["run"] in runs and TAG in trial["tags"]]
        index = _json(artifacts, study["id"], INDEX) if looked else None
        if isinstance(index, dict):
            first = {f"{study['id']}/{INDEX}": index} | _boxes(artifacts, looked, SCORES)
            images = [image for image in index.get("images", []) if isinstance(image, dict)]
            pictures = chain([first], (_image(artifacts, study["id"], image, looked) for image in images))
            curves = (_curves(artifacts, run) for run in looked)
            share = room // CURVES_SHARE
            room -= share - _keep(kept, curves, share, f"{study['name']}: not all of its curves")
            room = _keep(kept, pictures, room, f"{study['name']}: not all of its pictures")
    return kept


def _keep(kept: Kept, portions: Iterable[dict[str, Any]], room: int, lacking: str) -> int:
    """Keep whole portions while there is room, and return how much is left."""
    for found in portions:
        size = len(json.dumps(found)) if found else 0
        if size > room:
            kept.notes.append(f"{lacking} fit into this file")
            return room
        kept.content |= found
        room -= size
    return room


def _image(artifacts: Artifacts, study: str, image: Mapping[str, Any], runs: Iterable[str]) -> dict[str, Any]:
    """Return a picture and each trial's detections on it."""
    boxes_path, picture_path = f"{FOLDER}{image.get('key')}.json", f"{FOLDER}images/{image.get('key')}.jpg"
    if kind_of(boxes_path) is None:
        return {}
    picture = artifacts.artifact(study, picture_path, LARGEST)
    shown = {} if picture is None else {f"{study}/{picture_path}": JPEG + base64.b64encode(picture).decode()}
    return shown | _boxes(artifacts, runs, boxes_path)


def _curves(artifacts: Artifacts, run: str) -> dict[str, Any]:
    """Return a trial's curves and confusions; predictions of earlier releases have none."""
    return {place: found for path in CURVES for place, found in _boxes(artifacts, [run], path).items()}


def _boxes(artifacts: Artifacts, runs: Iterable[str], path: str) -> dict[str, Any]:
    return {f"{run}/{path}": found for run in runs if (found := _json(artifacts, run, path)) is not None}


def _json(artifacts: Artifacts, run: str, path: str) -> Any:
    """Return a JSON file's content; invalid JSON, or numbers that JSON lacks, count as missing."""
    content = artifacts.artifact(run, path, LARGEST)
    try:
        return None if content is None else parse_json(content, constants=False)
    except ValueError:
        return None
