"""Ask a trial to stop at its next safe point, through a file in its directory, which the training loop checks."""

from contextlib import suppress
from pathlib import Path

from trainers.schema.atomic import remove
from trainers.schema.fence import is_fenced_off, side_folder
from trainers.schema.request import asks_to_leave

STOP = "stop"  # there while a run is ending; whoever starts a trial removes it
MOVE = "move"  # there while the trial's machine is about to be taken away; the trial's next start removes it


class MachineLeaves(Exception):
    """Report that a trial has saved its state because its machine is about to be taken away; it can go on elsewhere."""

    preempted = True  # what Ray's own errors say of a machine that was taken away


def request_stop(directory: str | Path) -> None:
    """Ask the trial in ``directory`` to save its state at the next step and end; a trial that does not run stays as it is."""
    _leave(STOP, directory)


def run_is_ending(directory: str | Path) -> bool:
    """Return whether the run that trains the trial asked it to stop, as it asks all of its trials."""
    return _is_there(STOP, directory)


def stop_requested(directory: str | Path) -> bool:
    """Return whether the trial is to end here: its run, its user, or its machine's notice wants it, or another job has it."""
    return is_fenced_off(directory) or run_is_ending(directory) or must_move(directory) or asks_to_leave(directory)


def request_move(directory: str | Path) -> None:
    """Ask the trial in ``directory`` to save its state at the next step and to go on elsewhere."""
    _leave(MOVE, directory)


def must_move(directory: str | Path) -> bool:
    """Return whether the trial has to go on elsewhere."""
    return _is_there(MOVE, directory)


def clear_move(directory: str | Path) -> None:
    """Forget that the trial had to move: it is about to go on."""
    _forget(MOVE, directory)


def clear_stop(directory: str | Path) -> None:
    """Forget an earlier wish of a run: the trial is about to be started."""
    _forget(STOP, directory)


def _leave(name: str, directory: str | Path) -> None:
    """Leave a wish where only the trial's present holder sees it; a user may leave one in the trial's directory."""
    folder = side_folder(directory)
    if folder == Path(directory):
        folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # another job has taken the trial over, so it ends here anyway
        (folder / name).touch()


def _is_there(name: str, directory: str | Path) -> bool:
    return any((folder / name).exists() for folder in {side_folder(directory), Path(directory)})


def _forget(name: str, directory: str | Path) -> None:
    (side_folder(directory) / name).unlink(missing_ok=True)
    remove(Path(directory) / name)
