"""Keep a trial's timeline: one line for everything that kept it from going straight to its end. Imports nothing heavy."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from trainers.schema.atomic import write_text
from trainers.schema.fence import fence_of
from trainers.schema.foreign_json import parse_json

EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Event:
    """Record one incident of a trial and the response to it.

    ``attempt`` counts the trial's starts in this ``run`` (the run that writes the event) from 1; a trial that finds its
    own files damaged belongs to no run, and its ``run`` is "". ``details`` holds numbers that the action needs again,
    such as ``micro_batch``. ``time`` is in seconds since 1970.
    """

    kind: str
    action: str
    detail: str
    attempt: int = 1
    run: str = ""
    details: dict[str, int] = field(default_factory=dict)
    time: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """Return the event as it stands on the timeline."""
        return asdict(self)


def append_event(directory: str | Path, event: Event) -> None:
    """Add an event to the timeline of the trial in ``directory``; one write, so that a reader sees whole lines."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    path, line = Path(directory) / EVENTS, json.dumps(event.to_json()) + "\n"
    if fence_of(directory) is not None:  # an append would reach the file after a takeover, too
        write_text(path, "".join(f"{line}\n" for line in _lines(path)) + line)
        return
    with path.open("ab+") as stream:
        stream.write(f"{_rest_of_line(stream)}{line}".encode())


def read_events(directory: str | Path) -> list[Event]:
    """Return a trial's timeline, oldest first; a last line that was cut off by a crash or a full disk is left out.

    Lines of earlier releases that lack ``attempt``, ``run`` and ``details`` are read, too.
    """
    return [event for event in map(_parse, _lines(Path(directory) / EVENTS)) if event is not None]


def _rest_of_line(stream: IO[bytes]) -> str:
    """Return the end of a line that a crash or a full disk cut off; without it the next event would be lost with that one."""
    end = stream.seek(0, os.SEEK_END)
    if not end:
        return ""
    stream.seek(end - 1)
    return "" if stream.read(1) == b"\n" else "\n"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _parse(line: str) -> Event | None:
    try:
        return Event(**parse_json(line))
    except (ValueError, TypeError):
        return None
