"""Show the incidents of a plan's trials and the response to each."""

from datetime import datetime
from typing import Any

from orchestrator.plan.plan import Plan
from trainers.schema.events import read_events


def timeline_lines(plan: Plan) -> list[str]:
    """Return one line for each event of the plan's trials, oldest first; times are local."""
    events = [(event, trial.id) for trial in plan.trials for event in read_events(trial.directory)]
    return [
        f"{datetime.fromtimestamp(event.time):%Y-%m-%d %H:%M:%S}  {trial}  {event.kind}: {event.action}: {event.detail}"
        for event, trial in sorted(events, key=lambda item: item[0].time)
    ]


def timelines_json(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Return each trial's events by its id; a trial that went straight to its end has none."""
    return {trial.id: [event.to_json() for event in read_events(trial.directory)] for trial in plan.trials}
