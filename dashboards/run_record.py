"""Hold a trial as dashboards see it: a recorded run, its study, its curves and values derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from dashboards.detectors import detector_label
from dashboards.numbers import is_finite
from orchestrator.results.comparability import teacher_of
from orchestrator.results.detector_costs import METRIC_PREFIX
from orchestrator.results.trial import counts
from orchestrator.study.selection import merit
from orchestrator.tracking.history.recorded import Curves, RecordedRun
from trainers.schema.class_metrics import PREFIX as PER_CLASS
from trainers.schema.class_metrics import class_of_metric
from trainers.schema.costs import COSTS
from trainers.schema.foreign_json import parse_json
from trainers.schema.system_metrics import PREFIX as SYSTEM

BEST, EPOCH = "best/", "epoch"
TEST_PREFIX = "test/"  # before the metrics on the test split, which no choice and no chart may ask
HOUR = 3600.0
WORKERS = "workers"  # of an elastic trial, the mean of each epoch
HOURS, DEVICE_HOURS = "time/hours", "time/device_hours"  # so far; of the metrics that nobody records
TIMES = ("time/train_s", "time/load_s", "time/evaluate_s")


@dataclass(frozen=True)
class RunRecord:
    """Hold one trial. ``metric`` selects its best epoch; ``searched`` are the settings that its study varies."""

    run: RecordedRun
    curves: Curves
    study: str
    searched: tuple[str, ...]
    metric: str

    @property
    def role(self) -> str:
        """Return ``teacher`` or ``student``; runs made elsewhere are students."""
        return "teacher" if self.run.role == "teacher" else "student"

    @property
    def method(self) -> str:
        """Return the kind of method, ``none`` for a student trained alone, empty where nobody recorded it."""
        return self.run.method or self.run.params.get("method.kind", "")

    @property
    def settings(self) -> Mapping[str, str]:
        """Return all settings as dotted keys and texts."""
        return self.run.params

    @property
    def data(self) -> str:
        """Return the data's digest."""
        return self.run.data

    @property
    def is_finished(self) -> bool:
        """Return whether the trial ended as planned: as it recorded, of a run made elsewhere as MLflow says."""
        if self.run.outcome:
            return self.run.outcome == "finished"
        return self.run.kind == "" and self.run.status == "FINISHED"

    @property
    def counts(self) -> bool:
        """Return whether the trial enters means and ranks."""
        return counts(self)

    @property
    def id(self) -> str:
        """Return the trial's id, the run's for a run made elsewhere."""
        return self.run.trial or self.run.run_id

    @cached_property
    def seed(self) -> int | None:
        """Return the seed where one was recorded."""
        text = self.run.params.get("seed", "")
        return int(text) if text.isdecimal() and len(text) < 16 else None

    @cached_property
    def student(self) -> str:
        """Return the detector's name for people."""
        return detector_label(self.run.params, "student.")

    @cached_property
    def teacher(self) -> str:
        """Return the teacher's name for people, empty without one."""
        return detector_label(self.run.params, "teacher.detector.") if self.teacher_id else ""

    @cached_property
    def teacher_id(self) -> str:
        """Return the identity of the teacher's weights: a trial's id if a trial made them; empty without."""
        return teacher_of(self.run.params)

    @cached_property
    def point(self) -> str:
        """Return the searched settings on one line: as the study recorded them, if it is the one that was run last."""
        if self.run.point is not None and self.run.parent == self.study:
            return self.run.point
        params = self.run.params
        found = [key for key in self.searched if key in params and key != "method.kind"]
        return " ".join(f"{key.removeprefix('method.')}={params[key]}" for key in found)

    @property
    def name(self) -> str:
        """Return the name of the trial's row: the method and its searched values."""
        return f"{self.method} {self.point}".strip()

    @cached_property
    def last(self) -> Mapping[str, float]:
        """Return the last value of each metric."""
        return {key: value.value for key, value in self.run.metrics.items() if _is_metric(key) or key == self.metric}

    @cached_property
    def best_epoch(self) -> int | None:
        """Return the epoch with the best selection metric, the earliest of equals.

        The recorded best epoch takes precedence.
        """
        recorded = self.run.metrics.get(f"{BEST}{EPOCH}")
        if recorded is not None and is_finite(recorded.value):
            return int(recorded.value)
        points = [(step, value) for step, value in self.curves.get(self.metric, ()) if is_finite(value)]
        return max(points, key=lambda point: merit(self.metric, point[1]), default=(None, 0.0))[0]

    @cached_property
    def best(self) -> Mapping[str, float]:
        """Return each metric at the best epoch."""
        recorded = {k.removeprefix(BEST): v.value for k, v in self.run.metrics.items() if k.startswith(BEST)}
        if self.metric in recorded:
            return {key: value for key, value in recorded.items() if _is_metric(key) or key == self.metric}
        epoch = self.best_epoch
        at_best = {
            key: value
            for key, curve in self.curves.items()
            for step, value in curve
            if step == epoch and (_is_metric(key) or key == self.metric)
        }
        return at_best | {key: value for key, value in recorded.items() if _is_metric(key)}

    @cached_property
    def cost(self) -> Mapping[str, float]:
        """Return the costs of the detector, by the names in ``COSTS``; nothing where it was not measured."""
        found = {name: self.run.metrics.get(f"{METRIC_PREFIX}{name}") for name in COSTS}
        return {name: latest.value for name, latest in found.items() if latest is not None}

    @property
    def score(self) -> float | None:
        """Return the selection metric of the best epoch of a trial that counts, ``None`` of any other."""
        return self.best[self.metric] if self.counts else None

    @property
    def merit(self) -> float | None:
        """Return the same so that higher is better."""
        return None if self.score is None else merit(self.metric, self.score)

    @property
    def test(self) -> float | None:
        """Return the selection metric on the study's test split, ``None`` of a trial that was not measured on it."""
        value = self.run.metrics.get(TEST_PREFIX + self.metric)
        return None if value is None else value.value

    @cached_property
    def per_class(self) -> dict[str, float]:
        """Return AP by class at the best epoch, from the last one where the best was not recorded so."""
        found = {k: v.value for k, v in self.run.metrics.items() if k.startswith((PER_CLASS, BEST + PER_CLASS))}
        plain = {k: v for k, v in found.items() if k.startswith(PER_CLASS)}
        best = {k.removeprefix(BEST): v for k, v in found.items() if k.startswith(BEST)}
        return {class_of_metric(metric, self.classes): value for metric, value in (plain | best).items()}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the dataset's classes where they were recorded."""
        try:
            found = parse_json(self.run.params.get("dataset.classes", ""))
        except ValueError:
            return ()  # the name of a list of classes, or a run made elsewhere
        return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()

    @cached_property
    def epoch(self) -> int | None:
        """Return the last epoch recorded."""
        steps = [latest.step for key, latest in self.run.metrics.items() if not key.startswith(BEST)]
        recorded = self.run.metrics.get(EPOCH)
        if recorded is not None and is_finite(recorded.value):
            return int(recorded.value)
        return max(steps, default=None)

    @cached_property
    def epochs(self) -> int | None:
        """Return the length by the schedule, in epochs."""
        text = self.run.params.get("schedule.epochs", "")
        return int(text) if text.isdecimal() and len(text) < 9 else None

    @cached_property
    def all_curves(self) -> Curves:
        """Return the recorded curves, and the hours that each epoch had taken by its end, on one device and on all."""
        workers = dict(self.curves.get(WORKERS, ()))
        seconds: dict[int, float] = {}
        for key in TIMES:
            for step, value in self.curves.get(key, ()):
                seconds[step] = seconds.get(step, 0.0) + (value if is_finite(value) else 0.0)
        if not seconds:
            return self.curves
        steps = sorted(seconds)
        devices = [(workers.get(step, 0.0) if workers else self.run.devices or 1) for step in steps]
        hours = accumulate(seconds[step] / HOUR for step in steps)
        shared = accumulate(seconds[step] * count / HOUR for step, count in zip(steps, devices, strict=True))
        return self.curves | {
            HOURS: list(zip(steps, hours, strict=True)),
            DEVICE_HOURS: list(zip(steps, shared, strict=True)),
        }

    @cached_property
    def seconds(self) -> float | None:
        """Return the time spent training and evaluating: as recorded by epoch, else from the run's start to its end."""
        timed = [value for key in TIMES for _, value in self.curves.get(key, ()) if is_finite(value)]
        if timed:
            return sum(timed)
        begin, end = self.run.started, self.run.ended
        return None if begin is None or end is None else max(0.0, end - begin)

    @property
    def gpu_hours(self) -> float | None:
        """Return device-hours; a trial whose devices nobody recorded counts as one, an elastic one as its epochs say."""
        workers = dict(self.curves.get(WORKERS, ()))
        if not workers:
            return None if self.seconds is None else self.seconds * (self.run.devices or 1) / HOUR
        timed = [point for key in TIMES for point in self.curves.get(key, ())]
        return sum(value * workers.get(step, 0.0) for step, value in timed if is_finite(value)) / HOUR

    @cached_property
    def epoch_s(self) -> float | None:
        """Return the mean time of an epoch, evaluation included."""
        timed = self.curves.get(TIMES[0]) or []
        return self.seconds / len(timed) if timed and self.seconds is not None else None

    @property
    def heard(self) -> float | None:
        """Return when something was last recorded."""
        return max((latest.time_s for latest in self.run.metrics.values()), default=self.run.started)


def _is_metric(key: str) -> bool:
    return not key.startswith((BEST, PER_CLASS, TEST_PREFIX, METRIC_PREFIX, SYSTEM)) and key != EPOCH
