"""Find a trial's newest intact resume state, and report the problems of damaged ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.errors import TrialError
from trainers.formats.weights import read_checkpoint
from trainers.schema.manifest import MANIFEST, Manifest, ManifestEntry, entry_of, read_manifest
from trainers.schema.record import HISTORY, DamagedFile, Record, to_record
from trainers.schema.torch_archive import DAMAGE, open_torch_file

FORMAT = 2
STATES = "resume-*.pt"
NAME = re.compile(r"resume-(\d+)\.pt")


class OtherFormat(TrialError):
    """Report a state of another release: training anew would discard a usable state."""


@dataclass(frozen=True)
class ResumeState:
    """Hold a resume state as it was read: plain data and tensors, and the history up to its step."""

    content: dict[str, Any]
    history: list[Record]


@dataclass(frozen=True)
class Recovery:
    """Hold a directory's resume state.

    ``manifest`` lists the whole files only, ``damage`` has a sentence about each of the others. ``verified`` is
    False where no manifest could be read, so that nothing is known of the students.
    """

    state: ResumeState | None
    manifest: Manifest
    damage: tuple[str, ...]
    verified: bool = True


def find_state(directory: Path) -> Recovery:
    """Return the newest state in ``directory`` that is whole, without changing anything there.

    A file is whole when it has the SHA-256 that the manifest names, and reads as a state. Without a readable manifest
    states are known by their names, and are whole when the checksums inside the file hold. Raises ``OtherFormat`` for
    the state of another release.
    """
    damage: list[str] = []
    try:
        manifest = read_manifest(directory)
    except DamagedFile as error:
        damage.append(str(error))
        manifest = None
    verified = manifest is not None
    entries = list(manifest.states if manifest else unlisted(directory))
    # A process that died between its first state and its first manifest has published no history, and lost nothing.
    if entries and not verified and not damage and (directory / HISTORY).exists():
        damage.append(f"{directory / MANIFEST} is missing")
    while entries:
        state = _read(directory, entries[0], verified=verified, damage=damage)
        if state is not None:
            return Recovery(
                state, Manifest(tuple(entries), manifest.students if manifest else {}), tuple(damage), verified
            )
        del entries[0]
    return Recovery(None, Manifest(), tuple(damage), verified)


def unlisted(directory: Path) -> Iterator[ManifestEntry]:
    """Yield an entry for each file that is named like a state, the newest first."""
    found = [(int(match[1]), path) for path in directory.glob(STATES) if (match := NAME.fullmatch(path.name))]
    yield from (entry_of(path, step) for step, path in sorted(found, reverse=True))


def holds_together(path: Path) -> bool:
    """Return whether the checksums (CRC-32) that torch writes into a checkpoint hold."""
    try:
        with open_torch_file(path) as found:
            return found.archive is not None and found.archive.testzip() is None
    except DAMAGE:
        return False


def _read(directory: Path, entry: ManifestEntry, *, verified: bool, damage: list[str]) -> ResumeState | None:
    path = directory / entry.file
    if not (entry.describes(directory) if verified else holds_together(path)):
        damage.append(f"{path} is damaged" if path.exists() else f"{path} is gone")
        return None
    try:
        return read_state(path)
    except OtherFormat:
        raise
    except TrialError as error:
        damage.append(str(error))
        return None


def read_state(path: Path) -> ResumeState:
    """Read a state; raise ``OtherFormat`` for one of another release, ``TrialError`` for anything else."""
    content = read_checkpoint(path)
    found = content.get("format")
    if found != FORMAT and isinstance(found, int):
        raise OtherFormat(
            f"{path} has format {found}, this release reads {FORMAT}: "
            f"go on with the release that wrote it, or delete {path.parent} to train anew"
        )
    try:
        return ResumeState(content, [to_record(record) for record in content["history"]])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise TrialError(f"{path} is no state of a training") from error
