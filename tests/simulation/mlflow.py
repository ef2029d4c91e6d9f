"""Stand for an MLflow server: runs in memory, requests that are carried out whole or not at all, and the client that sends them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST

from tests.simulation.network import Lost, Network
from tests.simulation.primitives import TIME

TAG = re.compile(r"tags\.`([^`]+)` = '([^']*)'")
Point = tuple[str, float, int, int]  # key, value, time, step


@dataclass
class StoredRun:
    """Hold a run as the server has it. A point that is there already is not stored once more, as in MLflow's tables."""

    id: str
    experiment: str
    name: str
    tags: dict[str, str]
    started: int
    status: str = "RUNNING"
    lifecycle: str = "active"
    params: dict[str, str] = field(default_factory=dict)
    points: dict[Point, None] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def latest(self) -> dict[str, Point]:
        """Return the point with the last step of each metric."""
        found: dict[str, Point] = {}
        for point in self.points:
            if point[0] not in found or point[3] >= found[point[0]][3]:
                found[point[0]] = point
        return found


class Server:
    """Hold experiments and runs; ``refuses`` says whether it refuses a request of a name."""

    def __init__(self) -> None:
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, StoredRun] = {}
        self.refuses: Callable[[str], bool] = lambda name: False

    def create_experiment(self, name: str, tags: dict[str, str]) -> str:
        if any(one["name"] == name for one in self.experiments.values()):
            raise MlflowException(f"{name} exists", RESOURCE_ALREADY_EXISTS)
        made = str(len(self.experiments) + 1)
        self.experiments[made] = {"name": name, "tags": dict(tags)}
        return made

    def create_run(self, experiment: str, name: str, tags: dict[str, str]) -> str:
        made = f"run{len(self.runs)}"
        self.runs[made] = StoredRun(made, experiment, name, dict(tags), int(TIME.time() * 1000))
        return made

    def run(self, run_id: str) -> StoredRun:
        found = self.runs.get(run_id)
        if found is None:
            raise MlflowException(f"no run {run_id}", RESOURCE_DOES_NOT_EXIST)
        return found

    def log(self, run_id: str, metrics: Sequence[Point], params: dict[str, str], tags: dict[str, str]) -> None:
        run = self.run(run_id)
        if run.lifecycle == "deleted":
            raise MlflowException(f"run {run_id} is deleted", INVALID_PARAMETER_VALUE)
        for key, value in params.items():
            if run.params.get(key, value) != value:
                raise MlflowException(f"{key} has another value", INVALID_PARAMETER_VALUE)
        run.points.update(dict.fromkeys(metrics))
        run.params.update(params)
        run.tags.update(tags)

    def search(self, experiments: Sequence[str], wanted: str) -> list[StoredRun]:
        tags = TAG.findall(wanted)
        return [
            run
            for run in self.runs.values()
            if run.experiment in experiments
            and run.lifecycle == "active"
            and all(run.tags.get(key) == value for key, value in tags)
        ]


def shown(run: StoredRun) -> Any:
    """Return a run as MLflow's client gives it."""
    latest = list(run.latest.values())
    metrics = [SimpleNamespace(key=key, step=step) for key, _, _, step in latest]
    data = SimpleNamespace(
        tags=dict(run.tags),
        params=dict(run.params),
        metrics={key: value for key, value, _, _ in latest},
        to_proto=lambda: SimpleNamespace(metrics=metrics),
    )
    info = SimpleNamespace(
        run_id=run.id, run_name=run.name, status=run.status, start_time=run.started, lifecycle_stage=run.lifecycle,
        experiment_id=run.experiment,
    )  # fmt: skip
    return SimpleNamespace(info=info, data=data, outputs=None)


class Client:
    """Stand for ``MlflowClient``: the methods that the tracker calls, each one request."""

    def __init__(self, server: Server, network: Network) -> None:
        self._server, self._network = server, network

    def _ask(self, name: str, call: Callable[[], Any], *, again: bool = False) -> Any:
        def answer() -> Any:
            if self._server.refuses(name):
                raise MlflowException(f"{name} is refused", INVALID_PARAMETER_VALUE)
            return call()

        try:
            return self._network.ask(answer, again=again)
        except Lost as error:
            raise MlflowException(f"API request failed with exception: {error}") from error

    def get_experiment_by_name(self, name: str) -> Any:
        def call() -> Any:
            found = next((key for key, one in self._server.experiments.items() if one["name"] == name), None)
            return None if found is None else self._experiment(found)

        return self._ask("get experiment", call)

    def get_experiment(self, experiment: str) -> Any:
        return self._ask("get experiment", lambda: self._experiment(experiment))

    def _experiment(self, experiment: str) -> Any:
        found = self._server.experiments[experiment]
        return SimpleNamespace(
            experiment_id=experiment, name=found["name"], lifecycle_stage="active", tags=dict(found["tags"]),
            artifact_location="mlflow-artifacts:/",
        )  # fmt: skip

    def create_experiment(self, name: str, artifact_location: str | None, tags: dict[str, str]) -> str:
        return str(self._ask("create experiment", lambda: self._server.create_experiment(name, tags), again=True))

    def set_experiment_tag(self, experiment: str, key: str, value: str) -> None:
        self._ask("tag", lambda: self._server.experiments[experiment]["tags"].update({key: value}))

    def search_runs(self, experiments: Sequence[str], wanted: str = "", *_: Any, **__: Any) -> list[Any]:
        return list(self._ask("search", lambda: [shown(run) for run in self._server.search(experiments, wanted)]))

    def get_run(self, run_id: str) -> Any:
        return self._ask("get run", lambda: shown(self._server.run(run_id)))

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        made = self._ask("create run", lambda: self._server.create_run(experiment, run_name, tags), again=True)
        return shown(self._server.run(made))

    def delete_run(self, run_id: str) -> None:
        self._ask("delete run", lambda: setattr(self._server.run(run_id), "lifecycle", "deleted"))

    def log_batch(
        self, run_id: str, metrics: Sequence[Any] = (), params: Sequence[Any] = (), tags: Sequence[Any] = ()
    ) -> None:
        points = [(one.key, one.value, one.timestamp, one.step) for one in metrics]
        self._ask(
            "log",
            lambda: self._server.log(
                run_id, points, {one.key: one.value for one in params}, {one.key: one.value for one in tags}
            ),
            again=bool(metrics) and not tags,  # a tag that comes late would be an older one
        )

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        self._ask("tag", lambda: self._server.log(run_id, (), {}, {key: value}))

    def update_run(self, run_id: str, status: str) -> None:
        self._ask("update run", lambda: setattr(self._server.run(run_id), "status", status))

    def set_terminated(self, run_id: str, status: str) -> None:
        self._ask("end run", lambda: setattr(self._server.run(run_id), "status", status))

    def log_text(self, run_id: str, text: str, name: str) -> None:
        self._ask("file", lambda: self._server.run(run_id).files.update({name: text}))

    def log_artifact(self, run_id: str, path: str, folder: str = "") -> None:
        self._ask("file", lambda: self._server.run(run_id).files.update({f"{folder}/{path.rpartition('/')[2]}": path}))

    def log_inputs(self, run_id: str, inputs: Any) -> None:
        self._ask("inputs", lambda: None)
