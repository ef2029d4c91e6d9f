"""Record incidents with a trial's files on its timeline."""

import json
import logging
import time
from pathlib import Path

TIMELINE = "events.jsonl"
log = logging.getLogger(__name__)


def note(directory: Path, kind: str, action: str, detail: str) -> None:
    """Add a line to the trial's ``events.jsonl`` and log it: the incident, the response, and the details."""
    log.warning("%s: %s: %s: %s", directory.name, kind, action, detail)
    event = {"kind": kind, "action": action, "detail": detail, "time": time.time()}
    with (directory / TIMELINE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(event) + "\n")
