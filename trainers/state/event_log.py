"""Record incidents with a trial's files on its timeline."""

import logging
from pathlib import Path

from trainers.schema.events import Event, append_event

log = logging.getLogger(__name__)


def note(directory: Path, kind: str, action: str, detail: str) -> None:
    """Add an event to the trial's timeline and log it: the incident, the response, and the details."""
    log.warning("%s: %s: %s: %s", directory.name, kind, action, detail)
    append_event(directory, Event(kind, action, detail))
