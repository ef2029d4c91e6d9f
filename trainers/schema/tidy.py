"""Remove the files that only training needs from trials that nothing trains any more."""

import contextlib
from dataclasses import replace
from pathlib import Path

from trainers.schema.atomic import remove
from trainers.schema.being_read import NOTES
from trainers.schema.manifest import read_manifest, write_manifest
from trainers.schema.record import CARRIED, PROGRESS, DamagedFile
from trainers.schema.stop import MOVE, STOP

NEEDLESS = ("resume-*.pt", ".*.partial", PROGRESS, NOTES, STOP, MOVE)
STACKS = "stacks-*.txt"  # of a process that did not hang they are empty


def drop_carried(directory: Path) -> None:
    """Remove the state at the end of a segment, which nobody will go on from any more."""
    with contextlib.suppress(DamagedFile):
        manifest = read_manifest(directory)
        if manifest is not None and CARRIED in manifest.students:
            write_manifest(directory, manifest.without_student(CARRIED))
    remove(directory / CARRIED)


def tidy_over(directory: Path) -> None:
    """Remove files that only training needs from the directory of a trial that is over; does nothing the second time.

    A finished trial may have been killed between its outcome and its end; one that was stopped early keeps its states until
    then. States leave the manifest before they are deleted, so that a kill in between leaves none that is listed and gone.
    """
    with contextlib.suppress(DamagedFile):  # whoever needs the student is told so
        manifest = read_manifest(directory)
        if manifest is not None and manifest.states:
            write_manifest(directory, replace(manifest, states=()))
    for path in (path for pattern in NEEDLESS for path in directory.glob(pattern)):
        remove(path)
    for path in directory.glob(STACKS):
        if path.stat().st_size == 0:
            remove(path)
