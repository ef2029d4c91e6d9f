"""Read what a tracking store of studies that were really run holds, by MLflow's own client."""

import json
import statistics
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.tracking.tags import DEVICES, KIND, METHOD, ROLE
from trainers.schema.predictions import FOLDER

AP = "coco/bbox_mAP"
TIMES = ("time/train_s", "time/load_s", "time/evaluate_s")


@dataclass
class RealStore:
    """Hold a store and the address at which its pages are served."""

    address: str
    client: MlflowClient

    @cached_property
    def runs(self) -> list[Run]:
        """Return all runs but deleted ones."""
        experiments = [found.experiment_id for found in self.client.search_experiments()]
        return list(self.client.search_runs(experiments, max_results=1000))

    @property
    def trials(self) -> list[Run]:
        """Return the runs of trials."""
        return [run for run in self.runs if run.data.tags.get(KIND) == "trial"]

    @property
    def students(self) -> list[Run]:
        """Return the trials that are no teacher."""
        return [run for run in self.trials if run.data.tags[ROLE] == "student"]

    @property
    def distilled(self) -> list[Run]:
        """Return the students that had a teacher."""
        return [run for run in self.students if run.data.tags[METHOD] != "none"]

    @property
    def alone(self) -> list[Run]:
        """Return the students trained alone."""
        return [run for run in self.students if run.data.tags[METHOD] == "none"]

    @property
    def teachers(self) -> list[Run]:
        """Return the trained teachers."""
        return [run for run in self.trials if run.data.tags[ROLE] == "teacher"]

    def run(self, run: str) -> Run:
        """Return the run of an id."""
        return next(found for found in self.runs if found.info.run_id == run)

    def history(self, run: Run, key: str) -> list[float]:
        """Return a metric's values in the order of their epochs."""
        points = self.client.get_metric_history(run.info.run_id, key)
        return [point.value for point in sorted(points, key=lambda point: point.step)]

    def best_place(self, run: Run) -> int:
        """Return the place of the epoch with the highest AP."""
        values = self.history(run, AP)
        return values.index(max(values))

    def best(self, run: Run, key: str = AP) -> float:
        """Return a metric at the best epoch."""
        return self.history(run, key)[self.best_place(run)]

    def hours(self, run: Run) -> float:
        """Return device-hours."""
        seconds = sum(sum(self.history(run, key)) for key in TIMES if key in run.data.metrics)
        return seconds * int(run.data.tags.get(DEVICES, "1")) / 3600

    def file(self, run: str, name: str) -> Any:
        """Return one JSON file of predictions, ``None`` where there is none."""
        path = f"{FOLDER}/{name}"
        if path not in {found.path for found in self.client.list_artifacts(run, FOLDER)}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            return json.loads(Path(self.client.download_artifacts(run, path, folder)).read_text())


def spread(values: list[float]) -> str:
    """Return mean and sample standard deviation, in percent, as the leaderboard writes them."""
    mean = f"{100 * statistics.fmean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {100 * statistics.stdev(values):.1f}"


def gain(difference: float, digits: int = 1) -> str:
    """Return a difference in percent as the pages write it."""
    text = f"{abs(100 * difference):.{digits}f}"
    if float(text) == 0:
        return f"±{text}"
    return ("−" if difference < 0 else "+") + text
