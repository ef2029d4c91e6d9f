"""Terminal, JSON, report and pages agree on rows, means, spreads, ranks and names, whatever trials have come to."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings

from dashboards.snapshot import Query, snapshot
from orchestrator.plan.labels import point_text
from orchestrator.plan.plan import Plan
from orchestrator.results.settings import searched_settings
from orchestrator.results.summary import summary_json
from orchestrator.tracking.cursor import best_points, points_of
from orchestrator.tracking.history.recorded import Curves, Latest, RecordedRun
from orchestrator.tracking.names import flat_params, run_name
from orchestrator.tracking.results import results_on_disk
from tests.examples import examples
from tests.unit.dashboards.fake_tracking import FakeTracking
from tests.unit.orchestrator.results.random_study import Drawn, drawn, expected_best, expected_rows, fill
from tests.unit.orchestrator.results.surfaces import hold_json, hold_page, hold_report, hold_terminal
from trainers.schema.record import read_history, read_outcome

LATER = 2e9  # nobody has been heard of for years


@settings(max_examples=examples(25))
@given(drawn())
def test_every_surface_shows_the_same_rows(study: Drawn) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan, found = fill(Path(folder), study)
        expected, best = expected_rows(plan, found), expected_best(plan, found)
        results = results_on_disk(plan, {})
        hold_json(json.loads(json.dumps(summary_json(results), allow_nan=False)), expected, best)
        hold_terminal(results, expected)
        hold_report(plan, results, expected)
        page = snapshot(in_memory(plan), Query(now=LATER))
        new = [trial for trial, (state, _) in found.items() if state == "new"]
        hold_page(page, expected, new, best)


def in_memory(plan: Plan) -> FakeTracking:
    """Return what the tracker would have written of a plan's trials."""
    store = FakeTracking()
    searched = searched_settings(plan.study.search.space)
    parent = store.study(plan.study.name, searched=searched, studies=(plan.fingerprint[:12],))
    for trial in plan.trials:
        history, outcome = read_history(trial.directory), read_outcome(trial.directory)
        if not history:
            continue
        points = [*points_of(history), *(best_points(history) if outcome else ())]
        curves: Curves = {}
        for point in points:
            curves.setdefault(point.key, []).append((point.step, point.value))
        run = RecordedRun(
            run_id=f"run-{trial.id}", experiment=plan.study.name, name=run_name(trial), kind="trial", trial=trial.id,
            role=trial.role, method=trial.spec.method.kind, params=flat_params(trial), parent=parent, data="d",
            status="RUNNING" if outcome is None else "FINISHED", outcome=outcome.status if outcome else "",
            metrics={key: Latest(curve[-1][1], curve[-1][0], 1e9) for key, curve in curves.items()},
            studies=(plan.fingerprint[:12],), point=point_text(trial.params), started=1e9,
        )  # fmt: skip
        store.add(run, {key: curve for key, curve in curves.items() if not key.startswith("best/")})
    return store
