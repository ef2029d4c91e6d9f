"""Report image-file problems in a plan, from the ends of all files, the headers of the first, and the pixels of few."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.core.findings import Finding
from orchestrator.dataset_check.file_ends import seems_whole
from orchestrator.dataset_check.image_file import MISSING, Look, look_at, other_size
from orchestrator.dataset_check.many_files import asked
from orchestrator.dataset_check.readings import LOOKED_AT, FirstImage, SplitReading, reading
from orchestrator.dataset_check.turns import turned_by_exif
from trainers.schema.annotations import FileDataset, SplitName
from trainers.schema.annotations.wording import images, some_of
from trainers.schema.image_header import Header, read_header
from trainers.schema.image_pixels import settled
from trainers.schema.image_rule import FULL_DEPTH, ImageError, PixelRule

LONGEST_S = 0.35  # for the first and last bytes of a split's files: of 40,000 on a local disk
LEAST_ENDS = LOOKED_AT  # files that are looked at however long it takes
CLOSER_S, LEAST = 0.2, 3  # for reading the files that seem damaged, and how many are read however long it takes
SLOW = "asking for more takes too long for a plan; `stillhouse data check` looks at all"

Headers = list[tuple[FirstImage, Header]]


def image_findings(dataset: FileDataset, split: SplitName, where: str) -> Iterator[Finding]:
    """Yield problems of a split's image files, and settings that the user must decide for them.

    Nothing is said of images that do not exist, nor of annotations that are too large for a plan.
    """
    found = reading(dataset, split)
    if found is None or not found.first:
        return
    rule = dataset.pixel_rule
    try:
        rule = settled(rule, (image.file for image in found.first))
    except ImageError as error:
        yield Finding("error", where, str(error))
        rule = replace(rule, bit_depth=FULL_DEPTH)
    headers = list(_headers(found.first))
    yield from _damaged(found, headers, rule, where)
    yield from _of_headers(headers, f"of the first {len(found.first)}", rule, where)


def _damaged(found: SplitReading, headers: Headers, rule: PixelRule, where: str) -> Iterator[Finding]:
    """Yield the files that training could not read, of all whose ends can be looked at in a moment."""
    ends = asked(found.used, seems_whole, time.time() + LONGEST_S, LEAST_ENDS)
    odd = [path for path, whole in zip(found.used, ends, strict=False) if whole is False]
    plain = {image.file for image, header in headers if header.plain}
    others = [str(image.file) for image in found.first if image.file not in plain]
    candidates = list(dict.fromkeys((*odd, found.used[0], *others)))
    looks = _closer_looks(candidates, rule)
    broken = [f"{path} {look.problem}" for path, look in looks if look.problem not in (None, MISSING)]
    cut = [path for path, look in looks if look.suspicion is not None]
    count = f"of {images(len(found.used))}"
    if broken:
        least = "at least " if len(looks) < len(candidates) else ""
        yield Finding("error", where, f"{least}{len(broken)} {count} cannot be used: {some_of(broken)}")
    if cut:
        yield Finding("warning", where, f"{len(cut)} {count} can be read but have no end: {some_of(cut)}")
    if len(ends) < len(found.used):
        yield Finding("note", where, f"only the first {len(ends)} {count} were looked at: {SLOW}")


def _closer_looks(paths: Sequence[str], rule: PixelRule) -> list[tuple[str, Look]]:
    """Read files for a fraction of a second, ``LEAST`` of them in any case, and return the findings."""
    deadline = time.time() + CLOSER_S
    looks: list[tuple[str, Look]] = []
    for path in paths:
        if len(looks) >= LEAST and time.time() > deadline:
            break
        looks.append((path, look_at(Path(path), rule, None, decode=False)))
    return looks


def _headers(first: Sequence[FirstImage]) -> Iterator[tuple[FirstImage, Header]]:
    for image in first:
        try:
            yield image, read_header(image.file)
        except (OSError, ImageError):
            continue


def _of_headers(headers: Headers, among: str, rule: PixelRule, where: str) -> Iterator[Finding]:
    turned = [image.file for image, header in headers if header.leaves_open(rule, image.size)]
    if turned:
        yield Finding("warning", where, turned_by_exif(turned, among))
    sizes = [other_size(image.file, image.size, header, rule) for image, header in headers]
    others = [message for message in sizes if message is not None]
    if others:
        verb = "is" if len(others) == 1 else "are"
        count = f"{len(others)} {among} images {verb} of another size than annotated, so that boxes lie elsewhere"
        yield Finding("warning", where, f"{count}: {others[0]}")
