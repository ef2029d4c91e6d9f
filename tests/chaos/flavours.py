"""Say which small study is disturbed, in which set-ups, and what can be killed in each."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

# A state every second step: a kill meets trials within an epoch, at its end, and while a file is being written.
STUDY = """
name: chaos
dataset: {kind: shapes, train_images: 48, val_images: 8, image_size: [64, 64]}
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.25, weights: random}
  schedule:
    epochs: 2
    batch_size: 4
    lr: 0.002
    optimizer: {kind: adamw}
    warmup: {iterations: 2}
    policy: {kind: constant}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: bckd}
schedule:
  epochs: 4
  batch_size: 4
  lr: 0.002
  optimizer: {kind: adamw}
  warmup: {iterations: 2}
  policy: {kind: cosine}
scaling: {cpus_per_worker: 1, checkpoint_steps: 2}
"""

DRIVER, TRACKER, ALL = "driver", "MLflow server", "everything"
HEAD, RAYLET, TRIAL = "Ray head (GCS)", "raylet", "trial"
CONTROLLER, WORKER = "Train controller", "train worker"
HOST, BROKER = "host", "broker"
# By what stands in a process's title. Tune wraps the trial's class to give it resources.
TITLES = {
    HEAD: "/gcs_server ",
    RAYLET: "/raylet/raylet ",
    TRIAL: "ray::ResourceTrainable",
    CONTROLLER: "ray::TrainController",
    WORKER: "ray::RayTrainWorker",
    HOST: "ray::Host",
    BROKER: "ray::Broker",
}


@dataclass(frozen=True)
class Flavour:
    """Hold one set-up: changes to the study, what is killed (a deck that is dealt again and again), where results go.

    ``calm`` are further changes for the undisturbed study, which must not change its results.
    """

    name: str
    sets: tuple[str, ...]
    deck: tuple[str, ...]
    server: bool = False
    calm: tuple[str, ...] = ()

    def targets(self, random: Random) -> Iterator[str]:
        """Yield targets for ever; each card of the deck comes before any comes again."""
        while True:
            yield from random.sample(self.deck, len(self.deck))


ONE = (TRIAL, TRIAL, DRIVER, DRIVER, HEAD, RAYLET, ALL)
GROUP = (WORKER, WORKER, CONTROLLER, TRIAL, HOST, BROKER, DRIVER, HEAD, RAYLET, ALL)
TOGETHER = (HOST, HOST, TRIAL, BROKER, DRIVER, ALL)
# Trials that part after the second and third epoch, against trials that are trained apart.
PARTING = (
    "search.baseline=false",
    "schedule.policy={kind: step, milestones: [3]}",
    "search.space={schedule.policy.milestones: [[3], [2], [2, 3]], schedule.policy.gamma: [0.1, 0.5]}",
)
APART = ("search.share_prefixes=false",)
# Five trials of the first seeds at least; who leaves is decided by results.
RACE = (
    "schedule.epochs=2",
    "search.space={method.alpha1: [0.5, 4.0]}",
    "search.seeds=[0, 1, 2]",
    "search.racing={confidence: 0.6}",
)
TWO = ("scaling.workers=2", "search.baseline=false")
FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("one worker", (), ONE),
        Flavour("group of two", (*TWO, "schedule.epochs=8"), GROUP),
        Flavour("cohort", ("search.cohort=2",), TOGETHER),
        Flavour("prefixes", PARTING, ONE, calm=APART),
        Flavour("prefixes in cohorts", (*PARTING, "search.cohort=4"), TOGETHER, calm=(*APART, "search.cohort=1")),
        Flavour("race", RACE, ONE),
        Flavour("race in cohorts", (*RACE, "search.cohort=2"), TOGETHER),
        Flavour("long", ("schedule.epochs=12",), (TRIAL, DRIVER, HEAD, RAYLET)),
        Flavour("long group of two", (*TWO, "schedule.epochs=24"), (WORKER, CONTROLLER, HOST, BROKER)),
        Flavour("long server", ("schedule.epochs=8",), (TRACKER,), server=True),
        Flavour("server", (), (TRACKER, TRACKER, TRIAL, DRIVER, ALL), server=True),
    )
}
