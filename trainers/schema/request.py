"""Ask for one trial to be stopped, paused, resumed or tried again, by one word in its directory. Imports nothing heavy.

A running trial obeys the word itself, on any machine that sees the directory; the run, or the next one, does the rest.
"""

from enum import StrEnum
from pathlib import Path

from trainers.schema.atomic import remove, write_text
from trainers.schema.record import OUTCOME, Outcome, read_outcome, text_in, write_outcome
from trainers.schema.status import is_over

REQUEST = "request"  # the file; a later request takes its place
STOPPED_BY_USER = "stopped by the user"


class Request(StrEnum):
    """Name the requests about one trial; a closed list."""

    STOP = "stop"  # save the state and end for good
    PAUSE = "pause"  # save the state and wait; the file stays for as long as the trial is paused
    RESUME = "resume"  # go on after a pause
    RETRY = "retry"  # start again after a failure


def write_request(directory: str | Path, request: Request) -> None:
    """Ask for something about the trial in ``directory``, instead of anything that was asked for before."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    write_text(Path(directory) / REQUEST, request)


def read_request(directory: str | Path) -> Request | None:
    """Return what was asked for and is not done yet, ``None`` where that is nothing or nothing that is known."""
    try:
        return Request((text_in(directory, REQUEST) or "").strip())
    except (OSError, ValueError):
        return None


def asks_to_leave(directory: str | Path) -> bool:
    """Return whether the trial is to save its state and end now, for good or for a while."""
    return read_request(directory) in (Request.STOP, Request.PAUSE)


def is_paused(directory: str | Path) -> bool:
    """Return whether the trial waits for its user."""
    return read_request(directory) is Request.PAUSE and read_outcome(directory) is None


def carry_out(directory: str | Path) -> None:
    """Do what was asked for about a trial that nobody trains; a pause goes on.

    The file goes last: killed in between, the next call does the same again.
    """
    request = read_request(directory)
    if request is None:
        return
    outcome = read_outcome(directory)
    if request is Request.STOP and not (outcome and is_over(outcome.status)):
        write_outcome(directory, Outcome("stopped", STOPPED_BY_USER))
    if request is Request.RETRY and outcome and outcome.status == "failed":
        remove(Path(directory) / OUTCOME)
    if request is not Request.PAUSE or outcome is not None:
        remove(Path(directory) / REQUEST)
