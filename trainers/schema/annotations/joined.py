"""Join the annotation files of one split."""

from collections.abc import Sequence

from trainers.schema.annotations import kinds
from trainers.schema.annotations.doubts import note_shared_files
from trainers.schema.annotations.notes import Notes
from trainers.schema.annotations.records import AnnotatedSplit


def joined(parts: Sequence[AnnotatedSplit], files: Sequence[str], classes: Sequence[str]) -> AnnotatedSplit:
    """Return one split of several ``files``, which may use the same ids: an image's id gets its file's name in front.

    A class has to be declared by one file, not by each.
    """
    split = AnnotatedSplit(parts[0].name)
    for part, file in zip(parts, files, strict=True):
        for image in part.images:
            image.id = f"{file}:{image.id}"
        split.images += part.images
        split.others.update(part.others)
        split.readings.update(part.readings)
        split.listings |= part.listings
    split.names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    _join_notes(split.notes, parts)
    for name in classes:
        if name not in split.names:
            message = f"the study's class {name!r} is in none of {len(files)} files"
            split.notes.add(kinds.ABSENT_CLASSES, f"{parts[0].name}: categories", message)
    note_shared_files(split, "it counts twice")
    return split


def _join_notes(notes: Notes, parts: Sequence[AnnotatedSplit]) -> None:
    """Add all notes but those on absent classes and shared files."""
    for part in parts:
        for kind, told in part.notes.told.items():
            if kind not in (kinds.ABSENT_CLASSES, kinds.SHARED_FILES):
                notes.told[kind] = [*notes.told.get(kind, []), *told]
                notes.counts[kind] += part.notes.counts[kind]
