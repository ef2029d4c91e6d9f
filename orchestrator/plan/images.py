"""Notice images that change under unchanged annotations, by their names, sizes and times; no image is read."""

import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.core.errors import UserError
from orchestrator.core.findings import Finding
from orchestrator.dataset_check.file_states import states
from orchestrator.dataset_check.readings import READABLE
from orchestrator.plan.digests import CHOOSING
from orchestrator.plan.plan import Plan, worst_first
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.wording import counted
from trainers.schema import CocoDataset, DatasetSpec, VocDataset, VocPart
from trainers.schema.atomic import write_text
from trainers.schema.dataset import CocoSplit, FileDataset, YoloDataset, coco_parts, voc_parts, yolo_parts
from trainers.schema.foreign_json import parse_json
from trainers.schema.image_names import locate
from trainers.schema.record import HISTORY
from trainers.schema.tree import files_below
from trainers.schema.user_file import read_bytes
from trainers.schema.voc_layout import SUFFIXES, PartFiles
from trainers.schema.yolo_layout import YoloFiles

FILE = "images.json"  # in a trial's directory
PREFIX = "img-"  # so that YAML takes no digest for a number
LENGTH = 12  # hexadecimal digits of a digest
LONGEST_S = 10.0  # for one look; a slower file system is left alone
ADVICE = "--images-changed trains with the present ones, as trials of their own"

FileEntry = tuple[str, int, int]  # name, bytes, time of the last change in ns


@dataclass(frozen=True)
class Images:
    """Hold the state of a dataset's image files.

    ``sizes`` is a digest of names and sizes, ``times`` of the times as well; ``at`` is when they were looked at, in
    seconds since 1970. ``changed`` are the times of the files, which are not kept.
    """

    files: int
    bytes: int
    sizes: str
    times: str
    at: float
    changed: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the record kept beside a trial."""
        return {"files": self.files, "bytes": self.bytes, "sizes": self.sizes, "times": self.times, "at": self.at}

    def __str__(self) -> str:
        return f"{counted(self.files, 'file')} of {self.bytes / 1e6:.1f} MB, digest {self.sizes}"


def look(dataset: DatasetSpec) -> Images | None:
    """Return the state of the image files that the annotations name.

    ``None`` when the dataset has no files, when they are not here, or when the file system takes longer than
    ``LONGEST_S``. Of COCO annotations that are too large to be read in a moment, it is that of all images in the folders.
    """
    at = time.time()
    entries: list[FileEntry] = []
    try:
        for folder, names in _places(dataset):
            entries += _entries(folder, _images_below(folder) if names is None else names, at + LONGEST_S)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, TimeoutError):
        return None  # what is missing or damaged is told by the preflight and by `data check`
    if all(size < 0 for _, size, _ in entries):
        return None
    entries = sorted(set(entries))
    sizes = _digest(f"{name}\0{size}\n" for name, size, _ in entries)
    times = _digest(f"{name}\0{size}\0{changed}\n" for name, size, changed in entries)
    total = sum(size for _, size, _ in entries if size > 0)
    return Images(len(entries), total, sizes, times, at, tuple(changed / 1e9 for *_, changed in entries))


def recorded(directory: Path) -> Images | None:
    """Return the state of the images that a trial was trained on, ``None`` when it is not known."""
    try:
        content = parse_json((directory / FILE).read_text(encoding="utf-8"))
        return Images(**{key: content[key] for key in ("files", "bytes", "sizes", "times", "at")})
    except (OSError, ValueError, KeyError, TypeError):
        return None


class ImageRecorder:
    """Watch trials, and write beside each that begins on which images it is trained."""

    def __init__(self, plan: Plan) -> None:
        self._directories = {trial.id: trial.directory for trial in plan.trials}
        self._text = None if (found := look(plan.study.dataset)) is None else json.dumps(found.to_json())

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        self._directories[trial.id] = trial.directory

    def started(self, trial_id: str) -> None:
        """Write the record of a trial not trained before; the images of earlier trainings are unknown."""
        directory = self._directories[trial_id]
        if self._text is None or (directory / HISTORY).exists():
            return
        with suppress(OSError):  # training meets the same obstacle, and says so
            directory.mkdir(parents=True, exist_ok=True)
            write_text(directory / FILE, self._text)

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle a record."""

    def ended(self, trial_id: str) -> None:
        """Handle the end of a trial's records."""


def compared(plan: Plan, where: str) -> Plan:
    """Return the plan with a finding where its images are others than those that the study or earlier trials name."""
    places = {trial.id: trial.directory for trial in plan.trials}
    places |= {trial.prefix.trial: Path(trial.prefix.directory) for trial in plan.trials if trial.prefix}
    known = {name: found for name, place in places.items() if (found := recorded(place)) is not None}
    wanted = _wanted(plan.study.dataset)
    if not known and wanted is None:
        return plan
    now = look(plan.study.dataset)
    if now is None:
        return plan
    findings = [*_unlike_the_study(wanted, now, where), *_unlike_trials(known, now, where)]
    return replace(plan, findings=worst_first((*findings, *plan.findings))) if findings else plan


def present_digest(dataset: DatasetSpec) -> str:
    """Return the digest of the images that are here; raise ``UserError`` where there is none."""
    found = look(dataset)
    if found is None:
        raise UserError("--images-changed: there are no image files here to look at, or looking at them takes too long")
    return found.sizes


def _wanted(dataset: DatasetSpec) -> str | None:
    return dataset.images_digest if isinstance(dataset, FileDataset) else None


def _unlike_the_study(wanted: str | None, now: Images, where: str) -> Iterator[Finding]:
    if wanted not in (None, now.sizes):
        message = (
            f"the images differ from those of {wanted}: here are {now}; restore them, or write the digest of these"
        )
        yield Finding("error", f"{where}.images_digest", message)


def _unlike_trials(known: dict[str, Images], now: Images, where: str) -> Iterator[Finding]:
    """Yield a finding for each state of the images that trials were trained on and that is not the present one."""
    by_state: dict[str, list[str]] = defaultdict(list)
    for trial_id, images in known.items():
        by_state[images.times].append(trial_id)
    for trials in by_state.values():
        then = known[trials[0]]
        who = f"{len(trials)} trial{'s' if len(trials) > 1 else ''} ({', '.join(trials[:3])}{', ...' * (len(trials) > 3)})"
        if then.sizes != now.sizes:
            yield Finding(
                "warning", where, f"the images have changed since {who} began: {then} then, {now} now; {ADVICE}"
            )
        elif then.times != now.times:
            yield from _rewritten(then, now, who, where)


def _rewritten(then: Images, now: Images, who: str, where: str) -> Iterator[Finding]:
    """Yield findings from modification times alone: a copy changes all times or none, an edit changes some."""
    since = sum(changed > then.at for changed in now.changed)
    if 0 < since < now.files:
        message = f"{since} of {now.files} images {'was' if since == 1 else 'were'} written after {who} began, their sizes are the same"
        yield Finding("warning", where, f"{message}: if they look different now, {ADVICE}")
    elif since:
        message = f"all images were written after {who} began, their names and sizes are the same: copied, as it seems"
        yield Finding("note", where, message)


def _places(dataset: DatasetSpec) -> Iterator[tuple[Path, list[str] | None]]:
    """Yield the folders of images, each with the names of those that are used; ``None`` stands for all."""
    if isinstance(dataset, CocoDataset):
        for part in dict.fromkeys(part for split in CHOOSING for part in coco_parts(dataset, split)):
            yield Path(dataset.root) / part.images, _coco_names(Path(dataset.root), part)
    elif isinstance(dataset, VocDataset):
        for voc in dict.fromkeys(part for split in CHOOSING for part in voc_parts(dataset, split)):
            yield Path(dataset.root) / voc.folder / voc.images, _voc_names(Path(dataset.root), voc)
    elif isinstance(dataset, YoloDataset):
        for yolo in dict.fromkeys(part for split in CHOOSING for part in yolo_parts(dataset, split)):
            yield Path(dataset.root), list(YoloFiles(dataset.root, yolo).names)


def _coco_names(root: Path, split: CocoSplit) -> list[str] | None:
    path = root / split.annotations
    if path.stat().st_size > READABLE:
        return None
    names = [str(item["file_name"]) for item in json.loads(read_bytes(path, READABLE))["images"]]
    folder = f"{root / split.images}/"
    found = zip(names, locate(str(root), split.images, names), strict=True)
    return [name if f"{folder}{name}" == file.path else os.path.relpath(file.path, folder) for name, file in found]


def _voc_names(root: Path, part: VocPart) -> list[str]:
    """Return the files of a list's images; their suffixes are those that the folder has."""
    listed = set(PartFiles(root, part).names)
    there = _images_below(root / part.folder / part.images)
    return [name for name in there if os.path.splitext(name)[0] in listed]  # noqa: PTH122  pathlib takes four times as long


def _images_below(folder: Path) -> list[str]:
    return [
        os.path.relpath(f"{at}/{name}", folder) if at != str(folder) else name
        for at, names in files_below(folder)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]


def _entries(folder: Path, names: Iterable[str], deadline: float) -> list[FileEntry]:
    """Return the state of files; raise ``TimeoutError`` when that takes too long."""
    ordered, above = sorted(set(names)), str(folder).rpartition("/")[2]
    found = states([f"{folder}/{name}" for name in ordered], deadline)
    return [(f"{above}/{name}", *state) for name, state in zip(ordered, found, strict=True)]


def _digest(lines: Iterable[str]) -> str:
    return PREFIX + hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:LENGTH]
