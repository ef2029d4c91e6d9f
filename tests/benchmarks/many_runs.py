"""Fill an MLflow database with many trials, as the tracker would have written them, in seconds instead of minutes."""

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import insert

EPOCHS = 24
START_MS = 1_790_000_000_000
METRICS = (
    "coco/bbox_mAP", "coco/bbox_mAP_50", "coco/bbox_mAP_75", "coco/bbox_mAP_m", "coco/bbox_mAP_l", "loss/bckd-cls",
    "loss/bckd-loc", "ratio/bckd-cls", "ratio/bckd-loc", "time/train_s", "time/evaluate_s", "epoch",
)  # fmt: skip
ALPHAS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
COMMON = {
    "dataset.kind": "coco", "dataset.root": "/data/coco", "dataset.classes": "coco80", "dataset.image_size": "[1333, 800]",
    "dataset.keep_ratio": "true", "dataset.flip": "0.5", "dataset.evaluator": "faster-coco-eval", "dataset.repeat": "1",
    "dataset.augmentation": "flip", "dataset.multi_scale": "null", "dataset.batch_scales": "null",
    "dataset.pad_to_square": "false", "dataset.test_size": "null",
    "dataset.train.annotations": "annotations/instances_train2017.json", "dataset.train.images": "train2017",
    "dataset.val.annotations": "annotations/instances_val2017.json", "dataset.val.images": "val2017",
    "student.config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py", "student.backbone_depth": "null", "student.width": "1.0",
    "student.weights": "imagenet", "schedule.batch_size": "16", "schedule.iterations": "null", "schedule.lr": "0.01",
    "schedule.lr_batch": "null", "schedule.optimizer.kind": "sgd", "schedule.optimizer.momentum": "0.9",
    "schedule.optimizer.weight_decay": "0.0001", "schedule.warmup.iterations": "500", "schedule.warmup.shape": "linear",
    "schedule.policy.kind": "step", "schedule.policy.gamma": "0.1", "schedule.closing_epochs": "0",
    "schedule.ema": "null", "schedule.clip_grad": "null", "schedule.val_interval": "1",
}  # fmt: skip
BCKD = {
    "method.kind": "bckd", "method.inherit": "false", "method.variant": "official", "method.gamma": "1.0",
    "method.detach_weight": "false", "method.iou": "null", "method.level_gate": "null", "method.score": "joint",
}  # fmt: skip


def build(folder: Path, runs: int = 1000, epochs: int = EPOCHS) -> str:
    """Return the address of a database with ``runs`` trials in ``folder``; one that is there already is kept."""
    database = folder / f"many-{runs}-{epochs}.db"
    uri = f"sqlite:///{database}"
    if not database.exists():
        partial = folder / f"partial-{uuid.uuid4().hex}.db"
        _fill(SqlAlchemyStore(f"sqlite:///{partial}", str(folder / "artifacts")), runs, epochs)
        partial.rename(database)
    return uri


def _fill(store: SqlAlchemyStore, runs: int, epochs: int) -> None:
    rows: dict[Any, list[dict[str, Any]]] = {
        model: [] for model in (SqlExperiment, SqlRun, SqlParam, SqlTag, SqlMetric, SqlLatestMetric)
    }
    random_ = random.Random(0)
    rows[SqlExperiment].append(
        {"experiment_id": 77, "name": "sweep", "artifact_location": "artifacts", "lifecycle_stage": "active",
         "creation_time": START_MS, "last_update_time": START_MS, "workspace": "default"}
    )  # fmt: skip
    studies = [_study_run(rows, number) for number in range(3)]
    for number, (study, params, role) in zip(range(runs), _trials(), strict=False):
        _trial_run(rows, random_, studies[study], number, params, role, epochs)
    with store.ManagedSessionMaker(read_only=False) as session:
        for model, content in rows.items():
            session.execute(insert(model), content)


def _trials() -> Iterator[tuple[int, dict[str, str], str]]:
    """Yield study, settings and role of each trial: a teacher, three baselines and a grid of three seeds a study."""
    for seed in range(0, 1_000_000, 3):
        for study in range(3):
            schedule = {"schedule.epochs": str(EPOCHS), "schedule.policy.milestones": "[16, 22]"}
            common = COMMON | schedule | {"dataset.repeat": str(study + 1)}
            if seed == 0:
                yield (
                    study,
                    common
                    | {"method.kind": "none", "seed": "0", "student.config": "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"},
                    "teacher",
                )
            teacher = {
                "teacher.detector.config": "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py", "teacher.detector.width": "1.0",
                "teacher.weights.path": f"/store/trials/{_trial_id(study)}/best.pth", "teacher.weights.coverage": "1.0",
            }  # fmt: skip
            for offset in range(3):
                yield study, common | {"method.kind": "none", "seed": str(seed + offset)}, "student"
                for alpha1 in ALPHAS:
                    for alpha2 in ALPHAS:
                        point = {"method.alpha1": str(alpha1), "method.alpha2": str(alpha2), "seed": str(seed + offset)}
                        yield study, common | BCKD | point | teacher, "student"


def _trial_id(number: int) -> str:
    return f"{number:012x}"


def _study_run(rows: dict[Any, list[dict[str, Any]]], number: int) -> str:
    run = f"{number:032x}"
    rows[SqlRun].append(_run(run, f"alpha-grid-{number}", "FINISHED"))
    tags = {
        "stillhouse.kind": "study",
        "stillhouse.study": f"alpha-grid-{number}",
        "stillhouse.study_fingerprint": run * 2,
    }
    rows[SqlTag] += [{"run_uuid": run, "key": key, "value": value} for key, value in tags.items()]
    return run


def _run(run: str, name: str, status: str) -> dict[str, Any]:
    return {
        "run_uuid": run, "name": name, "source_type": "LOCAL", "source_name": "", "entry_point_name": "", "user_id": "",
        "status": status, "start_time": START_MS, "end_time": START_MS + 8_000_000, "source_version": "",
        "lifecycle_stage": "active", "artifact_uri": "artifacts", "experiment_id": 77,
    }  # fmt: skip


def _trial_run(
    rows: dict[Any, list[dict[str, Any]]], random_: random.Random, study: str, number: int, params: dict[str, str],
    role: str, epochs: int,
) -> None:  # fmt: skip
    run = f"{number + 1000:032x}"
    trial = _trial_id(int(study, 16)) if role == "teacher" else _trial_id(number + 1000)
    failed = number % 97 == 96
    rows[SqlRun].append(_run(run, f"{params['method.kind']} {number}", "FAILED" if failed else "FINISHED"))
    tags = {
        "stillhouse.kind": "trial", "stillhouse.trial": trial, "stillhouse.role": role, "mlflow.parentRunId": study,
        "stillhouse.method": params["method.kind"], "stillhouse.study": f"alpha-grid-{int(study, 16)}",
        "stillhouse.status": "failed" if failed else "finished", "stillhouse.dataset_digest": "5" * 64,
        "stillhouse.reason": "loss is not finite" if failed else "", "stillhouse.git_revision": "0" * 40,
        "stillhouse.study_fingerprint": study * 2,
    }  # fmt: skip
    rows[SqlTag] += [{"run_uuid": run, "key": key, "value": value} for key, value in tags.items()]
    rows[SqlParam] += [{"run_uuid": run, "key": key, "value": value} for key, value in params.items()]
    rows[SqlMetric] += (points := list(_points(run, random_, params, epochs)))
    best = max((p for p in points if p["key"] == METRICS[0]), key=lambda point: point["value"])
    at_best = [point | {"key": f"best/{point['key']}"} for point in points if point["step"] == best["step"]]
    rows[SqlMetric] += at_best
    rows[SqlLatestMetric] += [point for point in points if point["step"] == epochs] + at_best


def _points(run: str, random_: random.Random, params: dict[str, str], epochs: int) -> Iterator[dict[str, Any]]:
    """Yield curves that rise to an AP which depends smoothly on the alphas, with noise."""
    alpha1, alpha2 = float(params.get("method.alpha1", 0)), float(params.get("method.alpha2", 0))
    top = 0.40 + 0.02 * alpha1 * (2 - alpha1) / (1 + alpha1) + 0.004 * alpha2 * (8 - alpha2) / 8
    for epoch in range(1, epochs + 1):
        ap = top * (1 - 0.7 ** (epoch + 2)) + random_.gauss(0, 0.002)
        values = (
            ap,
            1.4 * ap,
            1.08 * ap,
            1.1 * ap,
            1.3 * ap,
            0.4 / epoch,
            1.1 / epoch,
            0.1,
            0.3,
            300 + random_.random(),
        )
        for key, value in zip(METRICS, (*values, 20 + random_.random(), float(epoch)), strict=True):
            yield {
                "run_uuid": run, "key": key, "value": value, "timestamp": START_MS + 330_000 * epoch, "step": epoch,
                "is_nan": False,
            }  # fmt: skip
