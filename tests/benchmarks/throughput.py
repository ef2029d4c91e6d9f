"""Compare the training loop's throughput with that of the same model and data in a bare mmengine ``Runner``."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import EpochBasedTrainLoop, Runner

from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import interleave, median
from trainers.data.datasets import build_dataset
from trainers.detectors.detector import build_empty
from trainers.loop.loop import prepare_process, train
from trainers.schema import Detector, Job, NoDistillation, Placement, Schedule, ShapesDataset, TrialSpec, class_count

IMAGES, SIZE, BATCH = 32, (256, 192), 4
EPOCHS = 1000  # far more than are timed, so that none of them is the last, which is evaluated
GFL = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth=18, width=0.5, weights="random")
SCHEDULE = Schedule(epochs=EPOCHS, batch_size=BATCH, lr=1e-4, val_interval=EPOCHS)
TRIAL = TrialSpec(
    dataset=ShapesDataset(kind="shapes", train_images=IMAGES, val_images=1, image_size=SIZE),
    student=GFL,
    method=NoDistillation(kind="none"),
    schedule=SCHEDULE,
)


def against_mmengine(setting: Setting) -> Measured:
    """Compare epochs, each from the first image's loading to the checkpoint on disk, of the two loops."""
    prepare_process(setting.threads, setting.cuda)
    ours, theirs = epochs_of_ours(setting), epochs_of_mmengine(setting)
    found = interleave(lambda: next(ours), lambda: next(theirs), setting.pairs, setting.clock)
    rates = " and ".join(f"{IMAGES / median(times):.2f}" for times in (found.ours, found.theirs))
    note = f"{IMAGES} drawn images of {SIZE[0]} x {SIZE[1]} an epoch, batch {BATCH}, {rates} images/s"
    ratios = [1 / ratio for ratio in found.ratios]  # of throughputs, not of times
    return Measured(ratios, f"{note}, {len(ratios)} pairs")


def epochs_of_ours(setting: Setting) -> Iterator[None]:
    """Train one more epoch at each question."""
    placement = Placement(threads=setting.threads, cuda=setting.cuda)
    for _ in train([Job(trial=TRIAL, trial_id="benchmark", directory=mkdtemp(), placement=placement)]):
        yield


class Stepwise(EpochBasedTrainLoop):
    """Get ready like mmengine's loop, and leave it to the caller when to run an epoch."""

    def run(self) -> Any:
        """Prepare only."""
        self.runner.call_hook("before_train")
        return self.runner.model


def epochs_of_mmengine(setting: Setting) -> Iterator[None]:
    """Train one more epoch at each question, as mmengine trains: its defaults, without our determinism."""
    runner = runner_of(setting)
    runner.train()
    while True:
        deterministic = torch.are_deterministic_algorithms_enabled()
        torch.use_deterministic_algorithms(False)
        runner.train_loop.run_epoch()
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
        yield


def runner_of(setting: Setting) -> Runner:
    """Return mmengine's runner of the same training."""
    loader = {
        "dataset": build_dataset(TRIAL.dataset, "train"),
        "batch_size": BATCH,
        "sampler": {"type": "DefaultSampler", "shuffle": True},
        "num_workers": 0,
        "collate_fn": pseudo_collate,
    }
    rule = {"type": "SGD", "lr": SCHEDULE.lr, "momentum": 0.9, "weight_decay": 1e-4}
    folder = Path(mkdtemp())
    return Runner(
        model=build_empty(GFL, class_count(TRIAL.dataset)).to(setting.device),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg={"type": Stepwise, "max_epochs": EPOCHS},
        optim_wrapper={"type": "OptimWrapper", "optimizer": rule},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2}},
        log_level="ERROR",
    )
