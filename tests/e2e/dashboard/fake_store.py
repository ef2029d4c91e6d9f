"""Fill a tracking store as studies would: trial directories made up, everything after them the project's own code."""

import json
import math
from dataclasses import replace
from pathlib import Path

from mlflow.tracking import MlflowClient
from PIL import Image

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.client import open_client
from orchestrator.tracking.cost_tag import write_cost
from orchestrator.tracking.predictions import find_study, log_predictions
from orchestrator.tracking.runs import find_runs
from orchestrator.tracking.tracker import Tracker
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.atomic import write_text
from trainers.schema.costs import DetectorCost, Latency
from trainers.schema.predictions import BINS, ImagePredictions, Index, Picture, ScoreCounts, TruthBox
from trainers.schema.record import BEST, CONFIG, HISTORY, Outcome, Record, to_lines, write_outcome
from trainers.schema.split_errors import (
    CONFUSIONS,
    CURVES,
    RECALLS,
    SCORES,
    Cell,
    Confusions,
    PrecisionCurves,
    PrecisionRecall,
)
from trainers.schema.system_metrics import (
    CPU_USE,
    GPU_MEMORY,
    GPU_MEMORY_SHARE,
    GPU_USE,
    IMAGES_PER_S,
    LOADING_SHARE,
    MEMORY,
    MEMORY_SHARE,
    of_gpu,
)

HOSTILE = "<script>window.hacked = 1</script>"
CLASSES = ("circle", "square", "triangle")
STUDY = """
name: sweep
description: Which weights suit a small student?
dataset: {kind: shapes, train_images: 160, val_images: 64, image_size: [128, 128]}
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.5, weights: random}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.25, weights: random}
method: {kind: bckd}
schedule: {epochs: 8, batch_size: 8, lr: 1e-3, policy: {kind: cosine}}
search:
  space:
    method.alpha1: [0.5, 1.0, 2.0, 4.0]
    method.alpha2: [2.0, 4.0]
  seeds: [0, 1]
  baseline: true
"""
OTHER = (
    STUDY.replace("name: sweep", "name: longer")
    .replace("epochs: 8", "epochs: 12")
    .replace("[0.5, 1.0, 2.0, 4.0]", "[1.0]")
)
EPOCHS, TAKEN_OVER = 8, 3


def build(folder: Path, hostile: bool = True) -> Store:
    """Return a store with two studies that may not be ranked together, predictions and, if wanted, hostile runs."""
    store = Store(folder / "store")
    store.prepare()
    (folder / "sweep").mkdir()
    (folder / "longer").mkdir()
    sweep, longer = (
        plan_text(folder / "sweep", STUDY, store=store.root),
        plan_text(folder / "longer", OTHER, store=store.root),
    )
    record(sweep, store, HOSTILE if hostile else "")
    record(longer, store, HOSTILE if hostile else "")
    client = open_client(sweep, store)
    keep_predictions(sweep, client, folder)
    if hostile:
        make_hostile_runs(client)
    return store


def record(plan: Plan, store: Store, said: str) -> None:
    """Leave each trial's directory as training would, and copy all to MLflow: one stopped, one failed, one going on."""
    students = [trial for trial in plan.trials if trial.role == "student"]
    ends = {students[-1].id: None, students[-2].id: Outcome("failed", f"the loss is not finite at step 70 {said}".strip()),
            students[-3].id: Outcome("stopped", "stopped early by the scheduler")}  # fmt: skip
    tracker = Tracker(plan, store)
    for number, trial in enumerate(plan.trials):
        before = students[0] if trial is students[1] else None
        leave(trial, number, ends.get(trial.id, Outcome("finished")), before)
        tracker.sync(trial)
        write_cost(tracker.connect(), tracker.run_id(trial), cost_on_paper(trial), 0)


def cost_on_paper(trial: PlannedTrial) -> DetectorCost:
    """Return costs that grow with the square of a detector's width."""
    share = trial.spec.student.width**2
    latency = Latency(median_ms=200 * share, min_ms=190 * share, spread_ms=1.0, repeats=5, threads=1, machine="A CPU")
    return DetectorCost(
        parameters=round(12e6 * share), macs=round(6e9 * share), input_size=(128, 128), classes=3, latency=latency
    )


def leave(trial: PlannedTrial, number: int, outcome: Outcome | None, before: PlannedTrial | None = None) -> None:
    """Leave a trial's directory; what did not finish has half the epochs. Another one may have made the first ``TAKEN_OVER``."""
    whole = outcome is not None and outcome.status == "finished"
    history = [epoch_record(trial, number, epoch) for epoch in range(1, (EPOCHS if whole else EPOCHS // 2) + 1)]
    if before is not None:
        history[:TAKEN_OVER] = [replace(record, trained_by=before.id) for record in history[:TAKEN_OVER]]
    trial.directory.mkdir(parents=True, exist_ok=True)
    write_text(trial.directory / HISTORY, to_lines(history))
    (trial.directory / BEST).write_bytes(trial.id.encode())
    if outcome is not None:
        (trial.directory / CONFIG).write_text("model = {}\n")
        write_outcome(trial.directory, outcome)


def epoch_record(trial: PlannedTrial, number: int, epoch: int) -> Record:
    """Return numbers that rise with the epoch and tell the trials apart; the best is not the last."""
    gain = {"teacher": 0.3}.get(trial.role, 0.0) + 0.01 * number
    ap = (0.2 + gain) * (1 - math.exp(-epoch / 3)) - (0.011 if epoch == EPOCHS else 0.0)
    metrics = {"coco/bbox_mAP": ap, "coco/bbox_mAP_50": 1.3 * ap, "coco/bbox_mAP_75": 0.9 * ap, "loss/total": 2 / epoch}
    metrics |= {f"class_AP/{name}": ap + 0.05 * place for place, name in enumerate(CLASSES)}
    if trial.spec.method.kind == "bckd":
        for place, term in enumerate(("bckd-cls", "bckd-loc")):
            share = (1 + place) / (4 + epoch)
            metrics |= {f"loss/{term}": share, f"ratio/{term}": share / 2, f"grad_share/{term}": share / 3}
    return Record(epoch=epoch, step=20 * epoch, metrics=metrics, wall_time=1_760_000_000.0 + 60 * epoch + number,
                  timing={"time/train_s": 30.0 + number, "time/evaluate_s": 5.0}, system=used(number, epoch))  # fmt: skip


def used(number: int, epoch: int) -> dict[str, float]:
    """Return the use of a machine with a GPU; the last epochs wait for images."""
    gpu = {of_gpu(0, GPU_USE): 91.0 - number, of_gpu(0, GPU_MEMORY): 8_000.0, of_gpu(0, GPU_MEMORY_SHARE): 33.0}
    return {
        CPU_USE: 60.0 + number,
        MEMORY: 20_000.0,
        MEMORY_SHARE: 40.0,
        IMAGES_PER_S: 50.0 + epoch,
        LOADING_SHARE: 2.0 * epoch,
        **gpu,
    }


def keep_predictions(plan: Plan, client: MlflowClient, folder: Path) -> None:
    """Keep in MLflow what the teacher, the baseline and a student would have found in two images."""
    looked = folder / "looked"
    pictures = [picture(key, looked) for key in ("7", "11")]
    found_runs = find_runs(client, [trial.id for trial in plan.trials[:4]])
    runs = {trial.id: found_runs[trial.id] for trial in plan.trials[:4]}
    names = {
        trial.id: f"{trial.role} {trial.spec.method.kind} {trial.spec.seed}"
        for trial in plan.trials
        if trial.id in runs
    }
    for trial in runs:
        found = [predicted(each, trial) for each in pictures]
        (looked / "trials" / trial).mkdir(parents=True)
        for each in found:
            (looked / "trials" / trial / f"{each.image}.json").write_text(each.model_dump_json())
        (looked / "trials" / trial / "scores.json").write_text(scores(trial).model_dump_json())
    for number, trial in enumerate(list(runs)[:-1]):  # the last one's are of an earlier release
        (looked / "trials" / trial / CURVES).write_text(curves(trial, number).model_dump_json())
        (looked / "trials" / trial / CONFUSIONS).write_text(confusions(trial, number).model_dump_json())
    with_curves = tuple(runs)[:-1]
    index = Index(classes=CLASSES, images=tuple(pictures), trials=names, curves=with_curves, budget_bytes=1_000_000)
    (looked / "index.json").write_text(index.model_dump_json())
    study = find_study(client, plan.fingerprint)
    assert study is not None
    log_predictions(client, study, runs, looked)


def picture(key: str, folder: Path) -> Picture:
    """Draw an image of two objects."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (128, 128), "#777")
    image.paste("#c33", (10, 10, 50, 50))
    image.paste("#33c", (60, 70, 120, 120))
    image.save(folder / "images" / f"{key}.jpg")
    truth = (TruthBox(box=(10.0, 10.0, 50.0, 50.0), label=1), TruthBox(box=(60.0, 70.0, 120.0, 120.0), label=1))
    return Picture(key=key, width=128, height=128, shown_width=128, shown_height=128, truth=truth)


def predicted(picture: Picture, trial: str) -> ImagePredictions:
    """Return two right boxes, of scores 0.9 and 0.4, and a wrong one of 0.2."""
    return ImagePredictions(
        image=picture.key, trial=trial, boxes=((11.0, 9.0, 51.0, 50.0), (61.0, 70.0, 119.0, 118.0), (5.0, 80.0, 40.0, 110.0)),
        scores=(0.9, 0.4, 0.2), labels=(1, 1, 2), kinds=("tp", "tp", "fp"), matches=(0, 1, None), missed=(),
    )  # fmt: skip


def scores(trial: str) -> ScoreCounts:
    """Return the counts of those boxes in two images."""
    tp, fp = [0] * BINS, [0] * BINS
    tp[18], tp[8], fp[4] = 2, 2, 2
    return ScoreCounts(trial=trial, images=2, objects=4, missed=0, tp=tuple(tp), fp=tuple(fp), ignored=(0,) * BINS)


def curves(trial: str, number: int) -> PrecisionCurves:
    """Return curves that fall from 1 at a recall that tells the trials apart; nothing is a triangle."""
    at_50, at_75 = (tuple(max(0.0, 1.0 - step / (most - number)) for step in range(RECALLS)) for most in (90, 60))
    mean = tuple((one + other) / 2 for one, other in zip(at_50, at_75, strict=True))
    curve = PrecisionRecall(iou50=at_50, iou75=at_75, mean=mean)
    return PrecisionCurves(trial=trial, images=64, whole=curve, classes=(curve, curve, None))


def confusions(trial: str, number: int) -> Confusions:
    """Return 20 circles and 10 squares, of which fewer are found the higher the score is."""
    last = len(CLASSES)
    found = tuple(18 - number - at for at in range(len(SCORES)))
    at_50: tuple[Cell, ...] = (
        (0, 0, found),
        (0, 1, (1,) * len(SCORES)),
        (0, last, tuple(19 - count for count in found)),
        (1, 1, (10,) * len(SCORES)),
        (last, 2, tuple(len(SCORES) - at for at in range(len(SCORES)))),
    )
    none = tuple((truth, last, (20 - 10 * truth,) * len(SCORES)) for truth in (0, 1))
    return Confusions(trial=trial, images=64, cells=(at_50, none))


def make_hostile_runs(client: MlflowClient) -> None:
    """Add runs that somebody else's code made: names and values of the worst kind, and next to nothing recorded."""
    experiment = client.create_experiment(f"elsewhere {HOSTILE}")
    for name in (f"{HOSTILE}<img src=x onerror=window.hacked=1>", "long " + "x" * 5000, "bare"):
        run = client.create_run(experiment, run_name=name)
        if name == "bare":
            continue
        client.set_tag(run.info.run_id, "note", "</script>" + HOSTILE + "x" * 4000)
        client.log_param(run.info.run_id, "optimizer", HOSTILE)
        client.log_metric(run.info.run_id, "coco/bbox_mAP", float("nan"), step=1)
        client.log_metric(run.info.run_id, "loss/total", float("inf"), step=1)
        client.set_terminated(run.info.run_id, "FAILED")


if __name__ == "__main__":
    import sys

    print(json.dumps({"store": str(build(Path(sys.argv[1])).root)}))
