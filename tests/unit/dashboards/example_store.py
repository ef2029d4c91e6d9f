"""Fill a fake store with a little of everything that views have to show, hostile texts among it.

``python -m tests.unit.dashboards.example_store`` writes ``example_snapshot.json`` anew.
"""

import random
from pathlib import Path

from dashboards.schema import Snapshot
from dashboards.snapshot import Query, as_json, snapshot
from tests.unit.dashboards.fake_tracking import AP, START, TEACHER_CONFIG, FakeTracking, taught_by

FILE = Path(__file__).with_name("example_snapshot.json")
NOW = START + 3 * 3600
EPOCHS = 12
HOSTILE = "</script><script>alert(1)</script> & <img src=x onerror=alert(2)> \u202e" + "x" * 300
CLASSES = ("person", "bicycle", "car", "dog")


def example_store() -> FakeTracking:
    """Return two studies of one teacher, a longer schedule, a running and a failed trial, and runs made elsewhere."""
    store, chance = FakeTracking(), random.Random(7)
    study = store.study("alpha-grid", description="BCKD on GFL R50: which weights?", planned=42, status="RUNNING")
    teacher = "0000000000aa"
    taught = store.trial(
        study, "none", curves_to(chance, 0.449), role="teacher", trial=teacher,
        params={"student.config": TEACHER_CONFIG, "seed": "0", "schedule.epochs": "24"},
    )  # fmt: skip
    store.cost(taught, parameters=51_282_000.0, macs=2.84e11)
    for seed in range(3):
        alone = store.trial(study, "none", curves_to(chance, 0.401), params={"seed": str(seed)})
        store.cost(alone, parameters=32_285_000.0, macs=2.08e11, latency_ms=1412.5)
    for alpha1 in (0.5, 1.0, 2.0):
        for alpha2 in (2.0, 4.0, 8.0):
            top = 0.42 + 0.012 * (1 - (alpha1 - 1) ** 2) - 0.0006 * (alpha2 - 4) ** 2
            for seed in range(3):
                params = {"method.alpha1": str(alpha1), "method.alpha2": str(alpha2), "seed": str(seed)}
                store.trial(study, "bckd", distilled(chance, top), params=params | taught_by(teacher))
    _add_troubled(store, study, chance, taught_by(teacher))
    longer = store.study("long", status="FINISHED", ended=START + 7200)
    for seed in range(2):
        params = {"seed": str(seed), "schedule.epochs": "24", "schedule.policy.milestones": "[16, 22]"}
        store.trial(longer, "bckd", distilled(chance, 0.436), params=params | taught_by(teacher))
    _add_foreign(store)
    return store


def _add_troubled(store: FakeTracking, study: str, chance: random.Random, teacher: dict[str, str]) -> None:
    point = {"method.alpha1": "4.0", "method.alpha2": "8.0", "seed": "0"} | teacher
    events = [
        {
            "time": START + 900,
            "kind": "worker_died",
            "action": "restarted",
            "detail": "a worker was killed by signal 9",
        },
        {"time": START + 1800, "kind": "out_of_memory", "action": "micro_batch 4", "detail": "CUDA out of memory"},
    ]
    half = {key: values[:5] for key, values in distilled(chance, 0.40).items()}
    nan = half | {"loss/bckd-loc": [*half["loss/bckd-loc"][:4], float("nan")]}
    reason = "loss/bckd-loc is not finite at step 4310"
    store.trial(study, "bckd", nan, params=point, outcome="failed", reason=reason, events=events)
    store.trial(
        study, "bckd", half, params=point | {"seed": "1"}, outcome="stopped", reason="ASHA: below the median at epoch 5"
    )
    store.trial(
        study, "bckd", half, params=point | {"seed": "2"}, outcome="", started=NOW - 1700, metrics=_recent(half)
    )


def _recent(curves: dict[str, list[float]]) -> dict[str, object]:
    from orchestrator.tracking.history.recorded import Latest

    return {key: Latest(values[-1], len(values), NOW - 60) for key, values in curves.items()}


def _add_foreign(store: FakeTracking) -> None:
    store.foreign("my-baseline", {AP: [0.31, 0.33, float("nan")], "lr": [0.02, 0.002, 0.0002]}, params={"lr": "0.02"})
    store.foreign(HOSTILE, {"loss": [2.5, float("inf"), float("nan")]}, tags={HOSTILE[:100]: HOSTILE}, reason=HOSTILE)


def curves_to(chance: random.Random, top: float) -> dict[str, list[float]]:
    """Return curves that end near ``top`` AP."""
    aps = [top * (1 - 0.62 ** (epoch + 1)) + chance.gauss(0, 0.0015) for epoch in range(1, EPOCHS + 1)]
    found = {AP: aps, "coco/bbox_mAP_50": [1.45 * ap for ap in aps], "coco/bbox_mAP_75": [1.07 * ap for ap in aps]}
    found |= {"coco/bbox_mAP_s": [0.55 * ap for ap in aps], "coco/bbox_mAP_m": [1.1 * ap for ap in aps]}
    found |= {"loss/detection": [1.9 / (1 + 0.3 * epoch) for epoch in range(EPOCHS)]}
    found |= {f"class_AP/{name}": [ap * chance.uniform(0.8, 1.2) for ap in aps] for name in CLASSES}
    return found | {"time/train_s": [chance.uniform(290, 310) for _ in aps], "time/evaluate_s": [21.0 for _ in aps]}


def distilled(chance: random.Random, top: float) -> dict[str, list[float]]:
    """Return such curves with those of BCKD's terms."""
    found = curves_to(chance, top)
    for term, size in (("bckd-cls", 0.4), ("bckd-loc", 1.1)):
        found[f"loss/{term}"] = [size / (1 + 0.2 * epoch) for epoch in range(EPOCHS)]
        found[f"ratio/{term}"] = [size / 1.9 for _ in range(EPOCHS)]
        found[f"grad_share/{term}"] = [size / 4 for _ in range(EPOCHS)]
    return found


def example_snapshot() -> Snapshot:
    """Return the snapshot of the example store, at a fixed moment."""
    return snapshot(example_store(), Query(now=NOW))


if __name__ == "__main__":
    FILE.write_text(as_json(example_snapshot()) + "\n", encoding="utf-8")
