"""Verify a trial's files against a manifest: their sizes and SHA-256, in a file that is written after them."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from trainers.schema.atomic import write_text
from trainers.schema.digest import file_digest
from trainers.schema.foreign_json import parse_json
from trainers.schema.record import BEST, LAST, DamagedFile, read_outcome
from trainers.schema.user_file import UnfitFile, read_bytes

MANIFEST, FORMAT = "manifest.json", 1
LARGEST_MANIFEST = 1 << 20  # bytes


@dataclass(frozen=True)
class ManifestEntry:
    """Describe one file: its name, the step whose state it holds, its size in bytes and its SHA-256."""

    file: str
    step: int
    size: int
    sha256: str

    def describes(self, directory: Path) -> bool:
        """Return whether the file in ``directory`` exists and is unchanged, to the bit."""
        path = directory / self.file
        return path.is_file() and path.stat().st_size == self.size and file_digest(path) == self.sha256


@dataclass(frozen=True)
class Manifest:
    """List a trial's resume states, newest first, and its students by file name."""

    states: tuple[ManifestEntry, ...] = ()
    students: dict[str, ManifestEntry] = field(default_factory=dict)

    def with_student(self, entry: ManifestEntry) -> "Manifest":
        """Return the manifest with a student added, or exchanged."""
        return replace(self, students={**self.students, entry.file: entry})

    def without_student(self, file: str) -> "Manifest":
        """Return the manifest without a student."""
        return replace(self, students={name: entry for name, entry in self.students.items() if name != file})


def entry_of(path: Path, step: int) -> ManifestEntry:
    """Describe a file as it is."""
    return ManifestEntry(path.name, step, path.stat().st_size, file_digest(path))


def read_manifest(directory: Path) -> Manifest | None:
    """Return a trial's manifest, ``None`` where there is none; raise ``DamagedFile`` when it cannot be read."""
    path = directory / MANIFEST
    if not path.exists():
        return None
    try:
        content = parse_json(read_bytes(path, LARGEST_MANIFEST))
        found = content["format"]
        if found == FORMAT:
            states = tuple(_entry(entry) for entry in content["states"])
            return Manifest(states, {name: _entry(entry) for name, entry in content["students"].items()})
    except (UnfitFile, ValueError, TypeError, KeyError, AttributeError) as error:  # no JSON, or JSON of another shape
        raise DamagedFile(f"{path} is damaged") from error
    raise DamagedFile(f"{path} has format {found}, this release reads {FORMAT}")


def _entry(content: dict[str, str | int]) -> ManifestEntry:
    """Return an entry; a name with a folder in it is none that was written here."""
    entry = ManifestEntry(str(content["file"]), int(content["step"]), int(content["size"]), str(content["sha256"]))
    if Path(entry.file).name != entry.file or entry.file == "..":
        raise ValueError(entry.file)
    return entry


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write a trial's manifest, atomically."""
    write_text(directory / MANIFEST, json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1))


def require_whole(path: Path) -> None:
    """Raise ``DamagedFile`` when ``path`` is the student of a trial that has ended, and not the one its manifest names.

    A trial that goes on may be about to write it. Files of other names, and those that are not in the directory of a
    trial or not there at all, are nobody's here and pass.
    """
    if path.name not in (BEST, LAST) or not path.exists() or read_outcome(path.parent) is None:
        return
    manifest = read_manifest(path.parent)
    if manifest is None:
        return
    entry = manifest.students.get(path.name)
    if entry is None:
        raise DamagedFile(f"{path} is not the student that its trial ended with: delete {path.parent} and run again")
    if not entry.describes(path.parent):
        raise DamagedFile(f"{path} is damaged, its SHA-256 has changed: delete {path.parent} and run again")
