"""Read earlier trials' results for the points of a search from MLflow."""

from collections.abc import Iterator
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError
from orchestrator.plan.digests import dataset_digest
from orchestrator.plan.plan import Plan
from orchestrator.results.sample import sample_of
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.selection import merit
from orchestrator.tracking.cursor import BEST_PREFIX
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.lacking import restoring
from orchestrator.tracking.names import flat_params
from orchestrator.tracking.tags import DATA, KIND, ROLE, STATUS
from trainers.schema.foreign_json import parse_json

ELSEWHERE = (
    "dataset.root",
    "dataset.evaluator",
    "seed",
    "teacher.weights.coverage",
    "teacher.trial",
)  # what may differ
TEACHER = "teacher.weights.path"
MOST_RUNS = 50_000


def read_priors(plan: Plan, client: MlflowClient) -> list[tuple[dict[str, Any], tuple[float, ...]]]:
    """Return points of ``search.warm_start`` with their results, the mean over seeds, in the order of their names.

    Only finished students count that differ from this study in nothing but the searched keys and the seed: same data (by
    content), same teacher, same schedule. Raises ``OperationError`` when there is no such experiment.
    """
    name = str(plan.study.search.warm_start)
    with plainly():
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise OperationError(f"search.warm_start: the tracking store has no experiment {name}")
        if experiment.lifecycle_stage == "deleted":
            raise OperationError(
                f"search.warm_start: experiment {name} is deleted in MLflow: {restoring(client.tracking_uri, experiment)}"
            )
        wanted = f"tags.`{KIND}` = 'trial' and tags.`{ROLE}` = 'student' and tags.`{STATUS}` = 'finished'"
        runs = client.search_runs([experiment.experiment_id], wanted, max_results=MOST_RUNS)
    found: dict[str, tuple[dict[str, Any], list[float]]] = {}
    for params, value in _comparable(plan, runs):
        found.setdefault(canonical_json(params), (params, []))[1].append(value)
    samples = [(params, sample_of(values)) for _, (params, values) in sorted(found.items())]
    return [(params, (sample.mean,)) for params, sample in samples if sample is not None]


def _comparable(plan: Plan, runs: list[Run]) -> Iterator[tuple[dict[str, Any], float]]:
    space, digest = plan.study.search.space, dataset_digest(plan.study.dataset)
    own = _rest(flat_params(plan.planner.at({}, 0)), space)
    for run in runs:
        value = run.data.metrics.get(f"{BEST_PREFIX}{plan.study.search.metric}")
        if value is None or run.data.tags.get(DATA) != digest or _rest(run.data.params, space) != own:
            continue
        params = {key: _value(run.data.params.get(key)) for key in space}
        if None not in params.values():
            yield params, merit(plan.study.search.metric, value)


def _rest(params: dict[str, str], space: Any) -> dict[str, str]:
    """Return the settings that have to be the same."""
    searched = tuple(f"{key}." for key in space)
    kept = {
        key: value for key, value in params.items() if key not in space and not key.startswith((*ELSEWHERE, *searched))
    }
    if TEACHER in kept:  # a trained one goes by its trial's id, the folder's name, wherever the store is
        kept[TEACHER] = "/".join(kept[TEACHER].split("/")[-2:])
    return kept


def _value(text: str | None) -> Any:
    try:
        return None if text is None else parse_json(text)
    except ValueError:
        return text
