import json
from pathlib import Path

from trainers.schema.events import EVENTS, Event, read_events
from trainers.state.event_log import note


def test_what_a_trial_notes_of_its_files_stands_on_the_same_timeline(tmp_path: Path) -> None:
    note(tmp_path, "damaged", "read the earlier one", "last.pth is cut off")
    [line] = (tmp_path / EVENTS).read_text().splitlines()
    assert json.loads(line).keys() == Event("", "", "").to_json().keys()
    [event] = read_events(tmp_path)
    assert (event.kind, event.detail, event.run) == ("damaged", "last.pth is cut off", "")
