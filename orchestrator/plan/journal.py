"""Log the decisions of a search in order, in an append-only file that survives a kill of its writer at any moment."""

import json
import os
from pathlib import Path
from typing import Any

from trainers.schema.atomic import flush_folder
from trainers.schema.foreign_json import parse_json

SearchEvent = dict[str, Any]


class SearchLog:
    """Append events to a file of JSON lines, each on disk before ``append`` returns; from one thread at a time.

    The line that a killed writer left unfinished counts as never written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._sound = False  # whether the file is known to end with a whole line

    def read(self) -> list[SearchEvent]:
        """Return all events, the oldest first; none where there is no file."""
        return [parse_json(line) for line in self._lines()]

    def append(self, **event: Any) -> None:
        """Write one event; raises ``OSError`` when the disk is full."""
        line = json.dumps(event).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("ab") as file:
            if not self._sound:
                file.truncate(sum(map(len, self._lines())))
            self._sound = False
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self._sound = True
        if is_new:
            flush_folder(self.path.parent)

    def _lines(self) -> list[bytes]:
        """Return the whole lines; nothing after one that is damaged can be trusted to follow from it."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().splitlines(keepends=True)
        broken = (number for number, line in enumerate(lines) if not _is_event(line))
        return lines[: next(broken, len(lines))]


def _is_event(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(parse_json(line), dict)
    except ValueError:
        return False
