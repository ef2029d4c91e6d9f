import json

from orchestrator.tracking.timeline_tag import LONGEST, timeline_text
from trainers.schema.events import Event


def test_events_in_order_with_their_words():
    events = [
        Event("oom", "micro_batch 4", "out of memory", time=1.0),
        Event("worker_died", "restarted", "signal 9", time=2.0),
    ]
    assert json.loads(timeline_text(events)) == [
        {"time": 1.0, "kind": "oom", "action": "micro_batch 4", "detail": "out of memory"},
        {"time": 2.0, "kind": "worker_died", "action": "restarted", "detail": "signal 9"},
    ]


def test_no_events_no_text():
    assert timeline_text([]) == ""


def test_the_last_events_fit_into_a_tag():
    events = [Event("hang", "restarted", "é\n" * 500, time=float(number)) for number in range(200)]
    text = timeline_text(events)
    times = [event["time"] for event in json.loads(text)]
    assert len(text) <= LONGEST
    assert times == [float(number) for number in range(200 - len(times), 200)]
    assert len(times) > 2


def test_secrets_are_hidden():
    assert "hunter2" not in timeline_text([Event("lost", "restarted", "https://me:hunter2@host/x failed")])
