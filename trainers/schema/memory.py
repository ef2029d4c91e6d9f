"""Define forecasts of a GPU's memory, and requests and answers of ``trainers.costs.memory``. Imports nothing heavy."""

from trainers.schema.base import Section
from trainers.schema.dataset import DatasetSpec, class_count
from trainers.schema.detector import Detector
from trainers.schema.image_pipeline import COCO_DETECTIONS
from trainers.schema.method import MethodSpec
from trainers.schema.schedule import Schedule
from trainers.schema.trial import Placement, TrialSpec

GIB = 2**30
OUTSIDE = 3 * GIB // 4  # a process's CUDA context, kernels and cuBLAS's buffers, beside torch's allocator
OBJECTS = 8  # of an image: COCO's mean
MIXED = 4  # images of a mosaic
SPARE = 0.1  # of a forecast: it is right within so much for the training memory that mmdet publishes


class MemoryUnit(Section):
    """Ask for the memory of a training on one GPU.

    ``images`` are those of one pass through the student, of ``size`` (width, height) in pixels. ``workers`` tells whether
    gradients are exchanged. ``objects`` are those of each image: assigning them costs memory.
    """

    key: str
    student: Detector
    teacher: Detector | None
    method: MethodSpec
    schedule: Schedule
    classes: int
    size: tuple[int, int]
    images: int
    workers: int = 1
    channels_last: bool = False
    max_detections: int = COCO_DETECTIONS
    objects: int = OBJECTS


class MemoryRequest(Section):
    """Ask for several forecasts."""

    units: tuple[MemoryUnit, ...]


class MemoryForecast(Section):
    """Hold a forecast in bytes, as torch's allocator would count them.

    ``teacher`` are its weights; ``student`` all that stays of one student between steps (weights, statistics, optimizer,
    average, exchange buffers, connectors), ``evidence`` the outputs of its last step, kept until they are known to be
    finite. ``batch`` are the images and the teacher's outputs, ``look`` the most that the teacher needs to make them, and
    ``step`` the most that one student's step needs for a while, ``gradients`` and ``workspace`` of convolutions included.
    ``gradients`` are 0 where they lie in the exchange buffers.
    """

    images: int
    size: tuple[int, int]
    teacher: int
    student: int
    evidence: int
    batch: int
    look: int
    step: int
    gradients: int
    workspace: int

    def peak(self, students: int = 1) -> int:
        """Return the most memory that ``students`` side by side need: their steps take turns."""
        kept = self.teacher + students * (self.student + self.evidence)
        return kept + self.batch + max(self.look, self.step)

    def students_in(self, memory: int) -> int:
        """Return how many students fit side by side into a GPU of ``memory`` bytes, with ``SPARE``; 0: not even one."""
        room = int((memory - OUTSIDE) / (1 + SPARE)) - self.peak(0)
        return max(0, room // max(1, self.student + self.evidence))

    def images_in(self, memory: int) -> int:
        """Return about how many images of a pass fit into a GPU of ``memory`` bytes, with ``SPARE``.

        Gradients need the same memory for any number; a workspace does, too, above a number that is not known here.
        """
        room = int((memory - OUTSIDE) / (1 + SPARE)) - self.teacher - self.student
        kept, fixed = self.evidence + self.batch, self.gradients
        looked = room * self.images // max(1, kept + self.look)
        stepped = (room - fixed) * self.images // max(1, kept + self.step - fixed)
        return max(0, min(looked, stepped))

    def exceeds(self, memory: int) -> bool:
        """Return whether one student does not fit into ``memory`` bytes, even without ``SPARE`` and workspace."""
        return self.peak() - self.workspace + OUTSIDE > memory


class MemoryAnswer(Section):
    """Answer one unit: its forecast, or in a sentence why there is none."""

    key: str
    forecast: MemoryForecast | None = None
    problem: str = ""


def memory_unit(key: str, trial: TrialSpec, placement: Placement) -> MemoryUnit:
    """Return the request for the memory of a trial on each of its GPUs."""
    dataset, workers = trial.dataset, trial.shares or placement.workers
    share = -(-trial.schedule.batch_size // workers)
    return MemoryUnit(
        key=key,
        student=trial.student,
        teacher=trial.teacher.detector if trial.teacher else None,
        method=trial.method,
        schedule=trial.schedule,
        classes=class_count(dataset),
        size=training_size(dataset),
        images=min(share, placement.micro_batch or share),
        workers=placement.workers,
        channels_last=placement.channels_last,
        max_detections=dataset.max_detections,
        objects=OBJECTS * mixed_images(dataset),
    )


def mixed_images(dataset: DatasetSpec) -> int:
    """Return how many images a training image is made of."""
    return MIXED + dataset.mosaic.mixup if dataset.augmentation == "mosaic" else 1


def training_size(dataset: DatasetSpec) -> tuple[int, int]:
    """Return the largest (width, height) of a training batch, before padding."""
    long, short = max(dataset.image_size), min(dataset.image_size)
    if dataset.multi_scale is not None:
        short = max(dataset.multi_scale.short)
    if dataset.batch_scales is not None:
        long, short = long * max(dataset.batch_scales.short) // short, max(dataset.batch_scales.short)
    return (long, long) if dataset.pads_to_square else (long, short)
