"""Keep in a tag of a trial's run which trial has made its first epochs, so that MLflow alone says so."""

import json

from trainers.schema.foreign_json import parse_json
from trainers.schema.record import TakenOver


def prefix_text(found: TakenOver | None) -> str:
    """Return the text of the tag; empty text for a trial that has made all of its epochs."""
    return "" if found is None else json.dumps(vars(found))


def prefix_of_tag(text: str) -> TakenOver | None:
    """Return what a tag says; ``None`` where it says nothing, or nothing that can be understood."""
    try:
        content = parse_json(text)
        trial, epochs = content["trial"], content["epochs"]
    except (ValueError, TypeError, KeyError):
        return None
    return TakenOver(trial, epochs) if isinstance(trial, str) and isinstance(epochs, int) and epochs > 0 else None
