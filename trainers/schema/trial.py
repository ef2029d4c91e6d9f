"""Describe one trial completely: everything to train one student, and nothing about the machine."""

from pydantic import Field

from trainers.schema.base import Section
from trainers.schema.dataset import DatasetSpec
from trainers.schema.detector import Detector
from trainers.schema.method import MethodSpec
from trainers.schema.schedule import Schedule


class Weights(Section):
    """Point at a checkpoint; loading less than ``coverage`` of the model's tensors is an error."""

    path: str = Field(min_length=1)
    coverage: float = Field(1.0, gt=0.0, le=1.0)


class Teacher(Section):
    """Give the frozen teacher: a detector and its weights (``None``: random weights, for smoke runs only)."""

    detector: Detector
    weights: Weights | None


class ParentTrial(Section):
    """Point at the trial whose last state a segment starts from: its id and directory."""

    trial: str = Field(min_length=1)
    directory: str = Field(min_length=1)


class Segment(Section):
    """Hold the part of its schedule that a trial trains: after ``from_epoch``, up to ``until_epoch``.

    It starts from the state that ``origin`` has ended with (``None``: from the beginning). The schedule as a whole is
    unchanged: the segment uses its learning rates of these epochs.
    """

    from_epoch: int = Field(0, ge=0)
    until_epoch: int = Field(ge=1)
    origin: ParentTrial | None = None


class TrialSpec(Section):
    """Hold everything that affects a trial's result; paths are absolute.

    ``init`` loads a whole detector checkpoint into the student before training (``None``: the detector's own
    ``weights``). ``teacher`` is ``None`` for method ``none``, ``segment`` for a whole training. ``shares`` is the number of
    equal parts of each batch that are trained apart, for any number of workers: each worker takes as many of them
    as the others (``None``: a worker's images are one part).
    """

    dataset: DatasetSpec
    student: Detector
    init: Weights | None = None
    teacher: Teacher | None = None
    method: MethodSpec
    schedule: Schedule
    seed: int = Field(0, ge=0)
    segment: Segment | None = None
    shares: int | None = Field(None, ge=2)


class Placement(Section):
    """Hold how a trial runs on one worker; must not affect its result beyond floating-point order.

    ``threads`` is the number of CPU threads of each worker, ``loader_workers`` the number of processes that load
    images for it (0: in the training process), ``gpus`` each worker's share of GPUs where ``cuda`` says to use them.
    ``micro_batch`` is the most images that a worker puts through the student at once (``None``: its whole share of a
    batch). ``channels_last`` keeps images and convolutions in that order of memory. ``portable`` has the CPU compute
    the same bits on all x86-64 machines. ``checkpoint_steps`` is after how many steps the state is saved within an epoch (``None``: at its end only).
    Every ``sample_every_s`` seconds the use of its machine is sampled (``None``: never).
    An elastic trial's group has up to ``workers`` workers, and not fewer than ``least`` (``None``: always ``workers``).
    A group that has not started after ``start_timeout_s`` has failed; a process that shows no progress for
    ``hang_timeout_s`` ends itself (``None``: never).
    """

    workers: int = Field(1, ge=1)
    least: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1)
    loader_workers: int = Field(0, ge=0)
    cuda: bool = False
    gpus: float = Field(1.0, gt=0.0)
    micro_batch: int | None = Field(None, ge=1)
    channels_last: bool = False
    portable: bool = False
    checkpoint_steps: int | None = Field(None, ge=1)
    start_timeout_s: float = Field(300.0, gt=0.0)
    hang_timeout_s: float | None = Field(None, gt=0.0)
    sample_every_s: float | None = Field(None, gt=0.0)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the numbers of workers that a group may have, smallest first; one where it is fixed."""
        return group_sizes(self.workers if self.least is None else self.least, self.workers)


def group_sizes(least: int, most: int) -> tuple[int, ...]:
    """Return the numbers of workers from ``least`` to ``most`` among which ``most`` equal shares can be divided equally."""
    return tuple(size for size in range(least, most + 1) if most % size == 0)


class Prefix(Section):
    """Point at the state of another trial that makes the same steps in its first ``epoch`` epochs.

    ``file`` in its ``directory`` is that state, after ``step`` steps.
    """

    trial: str = Field(min_length=1)
    directory: str = Field(min_length=1)
    file: str = Field(min_length=1)
    epoch: int = Field(ge=1)
    step: int = Field(ge=1)


class Job(Section):
    """Ask a worker group for one trial: the trial, its directory and its placement.

    ``inputs`` are files that the trial's id stands for, with the SHA-256 that they had when it was given. ``fence`` is the
    folder of the trial's lease, through which all is written (``trainers.schema.fence``); "" where no lease is needed.
    ``prefix`` is where the trial may start from, with the same result as from the beginning; ``hands_on`` are the files for
    such states of its own, by the epochs after which they are written. ``beside`` is the teacher of the students that it may be
    trained side by side with.
    """

    trial: TrialSpec
    trial_id: str
    directory: str
    placement: Placement = Placement()
    inputs: dict[str, str] = {}
    fence: str = ""
    prefix: Prefix | None = None
    hands_on: dict[int, str] = {}
    beside: Teacher | None = None
