"""Stand in for a tracking store: runs and curves in memory, built as the tracker records them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.tracking.history.recorded import Curves, Latest, RecordedRun

START = 1_790_000_000.0
AP = "coco/bbox_mAP"
SETTINGS = {
    "dataset.kind": "coco", "dataset.classes": "coco80", "dataset.root": "/data/coco", "dataset.image_size": "[1333, 800]",
    "dataset.val.annotations": "annotations/instances_val2017.json", "student.config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py",
    "student.backbone_depth": "null", "student.width": "1.0", "schedule.epochs": "12", "schedule.iterations": "null",
    "schedule.batch_size": "16", "schedule.lr": "0.01", "schedule.policy.kind": "step",
    "schedule.policy.milestones": "[8, 11]", "schedule.optimizer.kind": "sgd",
}  # fmt: skip
TEACHER_CONFIG = "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"


def taught_by(trial: str) -> dict[str, str]:
    """Return the settings that name a teacher trained in the same store."""
    return {"teacher.detector.config": TEACHER_CONFIG, "teacher.weights.path": f"/store/trials/{trial}/best.pth"}


class FakeTracking:
    """Hold runs in memory."""

    source = "fake://store"

    def __init__(self) -> None:
        self._runs: list[RecordedRun] = []
        self._curves: dict[str, Curves] = {}

    def runs(self) -> list[RecordedRun]:
        return list(self._runs)

    def curves(self, runs: Sequence[RecordedRun]) -> dict[str, Curves]:
        return {run.run_id: self._curves[run.run_id] for run in runs}

    def notes(self, runs: Sequence[RecordedRun]) -> list[str]:
        return []

    def study(self, name: str, **given: Any) -> str:
        """Add a study's own run and return its id."""
        run_id = f"{len(self._runs):032x}"
        run = {
            "run_id": run_id,
            "experiment": name,
            "name": name,
            "status": "RUNNING",
            "started": START,
            "kind": "study",
        }
        self._runs.append(RecordedRun(**{**run, "study": name, **given}))
        self._curves[run_id] = {}
        return run_id

    def trial(
        self, study: str, method: str = "bckd", curves: Mapping[str, Sequence[float]] | None = None, /, *,
        params: Mapping[str, str] | None = None, **given: Any,
    ) -> str:  # fmt: skip
        """Add a trial whose curves have one value an epoch, from epoch 1, and return its run's id."""
        number = len(self._runs)
        run_id = f"{number:032x}"
        points: Curves = {
            key: [(epoch, float(value)) for epoch, value in enumerate(values, start=1)]
            for key, values in (curves or {}).items()
        }
        outcome = given.get("outcome", "finished")
        run = {
            "run_id": run_id, "experiment": "sweep", "name": f"{method} {number}", "started": START, "kind": "trial",
            "status": {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}.get(outcome, "RUNNING"),
            "ended": START + 3600 if outcome else None, "params": {**SETTINGS, "method.kind": method, **(params or {})},
            "metrics": latest(points, recorded_best=bool(outcome)), "parent": study, "trial": f"{number:012x}",
            "role": "student", "method": method, "outcome": outcome, "data": "d" * 64,
        }  # fmt: skip
        self._runs.append(RecordedRun(**{**run, **given}))
        self._curves[run_id] = points
        return run_id

    def cost(self, run_id: str, **costs: float) -> None:
        """Record what a run's detector costs, as the tracker does when its study ends."""
        place = next(place for place, run in enumerate(self._runs) if run.run_id == run_id)
        written = {f"cost/{name}": Latest(value, 0, START + 3600) for name, value in costs.items()}
        self._runs[place] = replace(self._runs[place], metrics={**self._runs[place].metrics, **written})

    def add(self, run: RecordedRun, curves: Curves) -> None:
        """Add a run as it is."""
        self._runs.append(run)
        self._curves[run.run_id] = curves

    def foreign(self, name: str, curves: Mapping[str, Sequence[float]], **given: Any) -> str:
        """Add a run that Stillhouse did not make and return its id."""
        empty = {"kind": "", "trial": "", "role": "", "method": "", "outcome": "", "data": "", "parent": ""}
        run_id = self.trial(
            "", "", curves, **{**empty, "name": name, "experiment": "elsewhere", "status": "FINISHED", **given}
        )
        self._runs[-1] = replace(self._runs[-1], params=given.get("params", {}))
        return run_id


def latest(curves: Curves, *, recorded_best: bool) -> dict[str, Latest]:
    """Return last values with their steps, and the best epoch's as the tracker writes them when a trial ends."""
    found = {
        key: Latest(curve[-1][1], curve[-1][0], START + 60 * curve[-1][0]) for key, curve in curves.items() if curve
    }
    scored = [point for point in curves.get(AP, ()) if math.isfinite(point[1])]
    if not scored or not recorded_best:
        return found
    step = max(scored, key=lambda point: point[1])[0]
    best = {key: value for key, curve in curves.items() for at, value in curve if at == step} | {"epoch": float(step)}
    return found | {f"best/{key}": Latest(value, step, START + 60 * step) for key, value in best.items()}
