"""What a real tracker wrote of trials in any state gives the same rows, ranks and best in MLflow, commands and pages."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from mlflow.artifacts import download_artifacts
from mlflow.tracking import MlflowClient

from dashboards.snapshot import Query, snapshot
from orchestrator.core.store import Store
from orchestrator.tracking.client import open_client
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.reading import read_study
from orchestrator.tracking.tags import BEST_TRIAL
from orchestrator.tracking.tracker import RESULTS_FILE, Tracker
from stillhouse import Study
from tests.contract.test_tracking import migrated  # noqa: F401  a fixture
from tests.examples import examples
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.results.random_study import Drawn, drawn, expected_best, expected_rows, fill
from tests.unit.orchestrator.results.surfaces import hold_frames, hold_json, hold_page, hold_report, hold_terminal

LATER = 4e9  # nobody has been heard of for years


FEW, MANY = (
    settings(
        max_examples=examples(count),
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        phases=[Phase.explicit, Phase.generate],  # an example takes seconds: shrinking would take an hour
    )
    for count in (5, 40)
)


@FEW
@given(study=drawn(most_points=2, most_seeds=2))
def test_mlflow_commands_and_pages_agree(
    study: Drawn,
    migrated: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    hold_everywhere(study, migrated, capsys)


@pytest.mark.slow
@MANY
@given(study=drawn())
def test_they_agree_on_larger_studies(
    study: Drawn,
    migrated: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    hold_everywhere(study, migrated, capsys)


def hold_everywhere(study: Drawn, database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Record a study with the product's own tracker, and read it back from everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        store.root.mkdir()
        shutil.copyfile(database, store.database)
        plan, found = fill(Path(folder), study)
        expected, best = expected_rows(plan, found), expected_best(plan, found)
        tracker = Tracker(plan, store)
        for trial in plan.trials:
            if found[trial.id][0] != "new":
                tracker.sync(trial)
        tracker.finish()

        run = open_client(plan, store).get_run(tracker.study_run)
        assert run.data.tags[BEST_TRIAL] == (best or "")
        hold_json(kept(run.info.run_id, store), expected, best)
        sets = [part for change in study.sets for part in ("--set", change)]
        answer = runner(capsys)("compare", Path(folder) / "study.yaml", "--store", store.root, "--json", *sets)
        assert answer.code == 0, answer.err
        hold_json(answer.json, expected, best)
        results = Study.load(Path(folder) / "study.yaml", study.sets).results(store.root)
        assert results.to_json() == answer.json
        hold_frames(results, expected)
        results = read_study(plan, store).results
        hold_terminal(results, expected)
        hold_report(plan, results, expected)
        new = [trial for trial, (state, _) in found.items() if state == "new"]
        hold_page(snapshot(MlflowTracking(store.tracking_uri), Query(now=LATER)), expected, new, best)


def kept(run: str, store: Store) -> dict[str, object]:
    """Return the results that MLflow keeps with a study's run."""
    client = MlflowClient(tracking_uri=store.tracking_uri)
    path = download_artifacts(run_id=run, artifact_path=RESULTS_FILE, tracking_uri=client.tracking_uri)
    content: dict[str, object] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content
