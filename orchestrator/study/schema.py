"""Define the study file: one pydantic section per top-level key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    PlainSerializer,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticKnownError

from orchestrator.core.redact import redacted
from orchestrator.study.algorithms import Algorithm, Grid, algorithms
from orchestrator.study.conditional import misplaced_ranges, moved, ranges_in
from orchestrator.study.range_forms import fault_of, mistyped
from orchestrator.study.ranges import RANGES, Int, LogInt, LogUniform, Range, Uniform
from orchestrator.study.selection import key_of
from orchestrator.study.tracking_address import require_address
from orchestrator.study.wording import alternatives
from trainers.schema.base import Section
from trainers.schema.dataset import DatasetSpec
from trainers.schema.detector import CheckpointWeights, Detector, ZooWeights
from trainers.schema.image_pipeline import MultiScale
from trainers.schema.method import MethodSpec
from trainers.schema.plugins import one_of
from trainers.schema.portable import VARIABLES
from trainers.schema.record import SELECTION_METRIC
from trainers.schema.schedule import Schedule
from trainers.schema.trial import group_sizes

WEBHOOK = "STILLHOUSE_WEBHOOK"  # the one variable that an address may be, because it is a secret as a rule
LEAST_FACTOR = 2  # between rungs
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # of a study
PAGES = r"^https?://[^\s@?#()<>\[\]]+$"  # of a dashboard: it becomes part of a link in a note that others read
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Coverage = Annotated[float, Field(gt=0.0, le=1.0)]
Factor = Annotated[float, Field(gt=0.0, le=100.0)]
Objective = Literal["ap", "seconds", "steps", "parameters", "macs", "latency_ms"]
Bound = Annotated[float, Field(gt=0.0)]
Metric = Annotated[str, Field(min_length=1), AfterValidator(key_of)]


class ZooTeacher(ZooWeights):
    """Take a public checkpoint of mmdet's model zoo, by its config name; ``configs/zoo/checkpoints.yaml`` lists them."""

    coverage: Coverage = 1.0


class CheckpointTeacher(CheckpointWeights):
    """Take a checkpoint file; if it names its classes, they must be the dataset's, in any order."""

    detector: Detector
    coverage: Coverage = 1.0


class TrainedTeacher(Section):
    """Train the teacher on the study's dataset first; a finished one is found again by its fingerprint.

    ``multi_scale`` takes the place of the dataset's in the teacher's own training.
    """

    kind: Literal["train"]
    detector: Detector
    schedule: Schedule = Schedule()
    multi_scale: MultiScale | None = None
    seed: Seed = 0


class RandomTeacher(Section):
    """Use a teacher with random weights: proves that a study runs, teaches nothing."""

    kind: Literal["random"]
    detector: Detector


TeacherSection = Annotated[ZooTeacher | CheckpointTeacher | TrainedTeacher | RandomTeacher, Field(discriminator="kind")]


MALFORMED = "malformed"


def _with_ranges(values: tuple[JsonValue, ...]) -> tuple[JsonValue, ...]:
    """Return listed values; raise ``ValidationError`` with all mistakes where ranges inside them are wrong."""
    mistakes: list[InitErrorDetails] = []
    for index, value in enumerate(values):
        mistakes += ({**one, "loc": (index, *one["loc"])} for one in misplaced_ranges(value))
        try:
            ranges_in(value)
        except ValidationError as error:
            mistakes += moved(error, (index,))
    if mistakes:
        raise ValidationError.from_exception_data("values", mistakes)
    return values


Choices = Annotated[tuple[JsonValue, ...], Field(min_length=1), AfterValidator(_with_ranges)]


def _domain(value: object) -> str:
    """Choose the type of a searched key's value, so that a mistake in it is reported once."""
    if isinstance(value, Range):
        return value.key()
    if fault_of(value):
        return MALFORMED
    if not isinstance(value, dict):
        return "choices"
    keys = [kind.key() for kind in RANGES]
    return next((key for key in keys if key in value), None) or next(filter(None, map(mistyped, value)))


def _malformed(value: object) -> object:
    raise ValueError(fault_of(value))


Domain = Annotated[
    Annotated[Choices, Tag("choices")]
    | Annotated[Uniform, Tag(Uniform.key())]
    | Annotated[LogUniform, Tag(LogUniform.key())]
    | Annotated[Int, Tag(Int.key())]
    | Annotated[LogInt, Tag(LogInt.key())]
    | Annotated[Choices, BeforeValidator(_malformed), Tag(MALFORMED)],
    Discriminator(_domain),
]


class Fifo(Section):
    """Run every trial to its end."""

    kind: Literal["fifo"]


Rungs = Annotated[Literal["epoch", "phase"], Field(exclude_if=lambda rungs: rungs == "epoch")]


class Asha(Section):
    """Stop weak trials early (ASHA): after ``grace_epochs``, then at rungs ``reduction_factor`` apart.

    ``rungs`` lie at the same epoch of every trial, or at the same phase of its learning rate.
    """

    kind: Literal["asha"]
    grace_epochs: int = Field(1, ge=1)
    reduction_factor: int = Field(3, ge=LEAST_FACTOR)
    rungs: Rungs = "epoch"


class Pasha(Section):
    """Stop weak trials early as ASHA does, and train the others only as long as their order is in doubt (PASHA).

    ``percentile`` is that of the distances between curves that cross twice, from which on a difference is one. At least
    ``finalists`` trials go on to their ends; ``None`` is one, or in a race over seeds half of them. ``rungs`` as of ASHA.
    """

    kind: Literal["pasha"]
    grace_epochs: int = Field(1, ge=1)
    reduction_factor: int = Field(3, ge=LEAST_FACTOR)
    rungs: Rungs = "epoch"
    percentile: float = Field(90.0, ge=0.0, le=100.0)
    finalists: int | None = Field(None, ge=1)


class HyperBand(Section):
    """Compare trials in brackets (HyperBand): those that wait for the others of their bracket are paused, the best go on."""

    kind: Literal["hyperband"]
    reduction_factor: int = Field(3, ge=LEAST_FACTOR)


Waiting = Pasha | HyperBand  # schedulers that pause trials, and so have to know all of them beforehand


class StopWhen(Section):
    """End the study as soon as a student's ``metric`` is ``at_least`` so much."""

    metric: Metric = SELECTION_METRIC
    at_least: float


class Population(Section):
    """Hold how a population evolves: every ``every_epochs`` the worst continue from the best, with changed values.

    ``quantile`` is the share of the worst and of the best. A changed value is drawn anew with probability ``resample``;
    otherwise a number is multiplied by one of ``factors``, and a list's value gives way to its neighbour.
    """

    every_epochs: int = Field(1, ge=1, le=10_000)
    quantile: float = Field(0.25, gt=0.0, le=0.5)
    resample: float = Field(0.25, ge=0.0, le=1.0)
    factors: tuple[Factor, Factor] = (0.8, 1.2)

    @field_validator("factors")
    @classmethod
    def _each_changes_values(cls, factors: tuple[float, float]) -> tuple[float, float]:
        if 1.0 in factors:
            raise ValueError("a factor of 1 changes no value: give one below 1 and one above, such as [0.8, 1.2]")
        return factors


class Racing(Section):
    """Train a further seed only of points that the leader does not clearly beat, after ``least_seeds`` of each.

    A point is clearly beaten where its difference to the leader exceeds Student's t at this ``confidence`` times the
    standard error of the difference, with the spread pooled over the points; ``paired`` leaves out of it the effect of
    a seed on all of them alike. ``search.seeds`` are the seeds at most.
    """

    least_seeds: int = Field(2, ge=2)
    confidence: float = Field(0.95, gt=0.0, lt=1.0)
    paired: bool = True


class Constraints(Section):
    """Hold the most that a student may cost: parameters, multiply-adds of a forward, milliseconds on this CPU."""

    parameters: Bound | None = None
    macs: Bound | None = None
    latency_ms: Bound | None = None

    @property
    def given(self) -> dict[str, float]:
        """Return the bounds that are set, by name."""
        return {name: bound for name, bound in self if bound is not None}


def algorithm_of(value: Any) -> Any:
    """Return the section that a bare name stands for: ``optuna`` is short for ``{kind: optuna}``."""
    known = algorithms()
    if isinstance(value, str) and value in known:
        return {"kind": value}
    if isinstance(value, dict | Algorithm):
        return value
    raise PydanticKnownError("literal_error", {"expected": alternatives(f"'{kind}'" for kind in known)})


def short_algorithm(algorithm: Algorithm) -> JsonValue:
    """Return the bare name of an algorithm without keys of its own, as studies have always written it."""
    found: dict[str, JsonValue] = algorithm.model_dump(mode="json")
    return algorithm.kind if found == {"kind": algorithm.kind} else found


if TYPE_CHECKING:
    AlgorithmSpec = Algorithm
else:  # installed packages may add some
    AlgorithmSpec = Annotated[
        one_of(algorithms().values()),
        BeforeValidator(algorithm_of),
        PlainSerializer(short_algorithm),
    ]


class Search(Section):
    """Hold the search: the study's trials, and the budget that ends it.

    ``space`` maps a searched key (``method.alpha1``, ``schedule.lr``, ``schedule``, ...) to a list of values or, unless
    ``algorithm`` is ``grid``, a distribution; every point is run with every seed. ``baseline`` adds method ``none`` at
    the same schedule and seeds. ``metric`` is the one that points are compared by. ``racing`` trains further seeds only of points that may be the best. ``seed`` drives the draws only. ``samples`` is the number of points, of a population the
    number of its members. ``warm_start`` names an MLflow experiment with earlier results. ``constraints`` leaves out students
    that cost more, before they are trained. ``max_gpu_hours`` limits the hours of the students' GPUs, ``max_hours`` those of the
    study's runs by the clock. ``cohort`` is how many
    students one worker group trains side by side, against one teacher and on one data stream. ``share_prefixes`` has the epochs
    in which trials agree trained once, where all trials are known beforehand.
    """

    algorithm: AlgorithmSpec = Grid(kind="grid")
    space: dict[str, Domain] = Field({}, max_length=50)
    samples: int | None = Field(None, ge=1, le=10_000)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    racing: Racing | None = None
    metric: Metric = SELECTION_METRIC
    baseline: bool = True
    scheduler: Annotated[Fifo | Asha | Pasha | HyperBand, Field(discriminator="kind")] = Fifo(kind="fifo")
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)] = ("ap",)
    constraints: Constraints = Constraints()
    population: Population = Population()
    warm_start: str | None = Field(None, min_length=1)
    max_trials: int | None = Field(None, ge=1)
    max_gpu_hours: float | None = Field(None, gt=0.0)
    max_hours: float | None = Field(None, gt=0.0)
    stop_when: StopWhen | None = None
    cohort: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = 1
    share_prefixes: bool = True
    seed: Seed = 0


class ElasticWorkers(Section):
    """Hold the numbers of workers of an elastic trial: as many as there is room for, from ``min`` to ``max``.

    Each batch is trained in ``max`` equal shares by any number of workers, so the numbers of workers are those that divide ``max``.
    """

    min: int = Field(1, ge=1, le=4096)
    max: int = Field(ge=2, le=4096)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the numbers of workers that a trial may have, smallest first."""
        return group_sizes(self.min, self.max)

    @model_validator(mode="after")
    def _has_several_sizes(self) -> "ElasticWorkers":
        if self.min >= self.max:
            raise ValueError(f"min ({self.min}) must be below max ({self.max}); a fixed number is workers: {self.max}")
        if len(self.sizes) == 1:
            smaller = group_sizes(1, self.max)[:-1]
            raise ValueError(
                f"no number from {self.min} to {self.max - 1} divides max ({self.max}), so the group could never shrink: "
                f"give a min of {smaller[-1]} or less"
            )
        return self


WorkerCount = Annotated[int, Field(ge=1, le=4096)] | ElasticWorkers


KeepStates = Literal["none", "last", "milestones"]


class Scaling(Section):
    """Set the resources of one trial and the number of concurrent trials.

    The global batch is split evenly over ``workers``: a fixed number, or ``{min: 2, max: 8}``, with which a trial goes on
    with fewer workers when a machine leaves and with more when machines join. ``gpus_per_worker: auto`` takes one GPU each where the cluster
    has any, ``shared`` the smallest share of one into which a training fits by its memory forecast, ``cpus_per_worker: auto`` one CPU, and beside a GPU one more for each loader worker. On CPUs it is the
    number of threads that train. ``channels_last`` keeps images and convolutions in the order of memory that tensor cores
    want; results change by rounding only. ``portable`` gives the same bits on every x86-64 processor with AVX2, for trials that
    train on CPUs. ``teacher_cpus_per_worker`` is that number for the teacher's own training, which runs
    alone. ``loader_workers: auto`` is up to eight beside a GPU, as many as its share of
    the machine's CPUs allows, and none on CPUs. ``max_concurrent: auto`` is as many trials as fit. ``checkpoint_steps`` is after how many steps a trial's state is
    saved within an epoch, beside the epoch's end. ``keep_states`` says which states a student keeps when it is over, for trials
    that go on from there: its last one, or also those before its milestones. A trial that has not started after ``start_timeout_s``
    seconds fails; one that makes no step for ``hang_timeout_s`` seconds is started again from its last record.
    ``seconds_per_step`` is a known rate, for plans where none has been measured; ``cost_per_gpu_hour`` is a price in
    any currency.
    """

    workers: WorkerCount = 1
    cpus_per_worker: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = "auto"
    teacher_cpus_per_worker: int | None = Field(None, ge=1, le=256)
    gpus_per_worker: Literal["auto", "shared"] | Annotated[float, Field(ge=0.0, le=16.0)] = "auto"
    loader_workers: Literal["auto"] | Annotated[int, Field(ge=0, le=128)] = "auto"
    channels_last: bool = False
    portable: bool = False
    max_concurrent: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    checkpoint_steps: int | None = Field(None, ge=1, le=100_000_000)
    keep_states: KeepStates = "none"
    start_timeout_s: float = Field(300.0, ge=1.0, le=604_800.0)
    hang_timeout_s: float = Field(600.0, ge=10.0, le=604_800.0)
    seconds_per_step: float | None = Field(None, gt=0.0)
    cost_per_gpu_hour: float | None = Field(None, ge=0.0)

    @property
    def variables(self) -> Mapping[str, str]:
        """Return the variables that the processes which train need in their environment."""
        return VARIABLES if self.portable else {}

    @property
    def shares(self) -> int | None:
        """Return in how many shares an elastic trial's batches are trained; ``None`` for a fixed number of workers."""
        return self.workers.max if isinstance(self.workers, ElasticWorkers) else None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the numbers of workers that a trial may have, smallest first; one where it is fixed."""
        return self.workers.sizes if isinstance(self.workers, ElasticWorkers) else (self.workers,)

    @property
    def least_workers(self) -> int:
        """Return the fewest workers that a trial may have."""
        return self.sizes[0]

    @property
    def most_workers(self) -> int:
        """Return the most workers that a trial may have."""
        return self.sizes[-1]


def require_webhook(address: str) -> str:
    """Return an address that can be posted to; raise ``ValueError`` for anything else, and for other variables.

    A stranger's study must not send this machine's variables to an address of its own.
    """
    if address == f"${{{WEBHOOK}}}" or (address.startswith(("https://", "http://")) and "${" not in address):
        return address
    raise ValueError(f"must begin with https:// or http://, or be ${{{WEBHOOK}}} as a whole, got {redacted(address)}")


class OnEnd(Section):
    """Hold who is told when a run has ended: an address that gets a POST of JSON, or a program that gets it on stdin."""

    webhook: Annotated[str, AfterValidator(require_webhook)] | None = None
    program: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = None


class EndPredictions(Section):
    """Ask for predictions at the end of a run: of which trials, and on how many images of the validation split.

    ``best`` are the teacher and the best student of each method, ``all`` every finished trial. ``curves`` adds precision,
    recall and confusions over the whole split; ``budget_mb`` limits the files about images.
    """

    trials: Literal["best", "all"] = "best"
    images: int = Field(24, ge=1, le=10_000)
    curves: bool = True
    budget_mb: float = Field(64.0, gt=0.0, le=100_000.0)


class TrackingSection(Section):
    """Hold the destination of results; without ``uri`` it is an SQLite file inside the store folder.

    ``predictions`` asks for predictions at the end of each run. ``system_metrics`` records how much of its machines a trial
    uses, sampled every ``system_metrics_every_s`` seconds.
    """

    uri: Annotated[str, AfterValidator(require_address)] | None = None
    experiment: str | None = Field(None, min_length=1)
    tags: dict[str, str] = {}
    dashboard: str = Field("http://127.0.0.1:8280/", pattern=PAGES)
    on_end: OnEnd | None = None
    predictions: EndPredictions | None = None
    system_metrics: bool = True
    system_metrics_every_s: float = Field(10.0, ge=1.0, le=3600.0)

    @property
    def sample_every_s(self) -> float | None:
        """Return after how many seconds the use of machines is sampled; ``None`` for never."""
        return self.system_metrics_every_s if self.system_metrics else None


class StudySpec(Section):
    """Hold one study: detectors, data, method, schedule, and search space."""

    name: str = Field(pattern=NAME, max_length=100)
    description: str = ""
    fidelity: Literal["full", "short", "smoke"] = "full"
    dataset: DatasetSpec
    teacher: TeacherSection | None = None
    student: Detector
    method: MethodSpec
    schedule: Schedule = Schedule()
    search: Search = Search()
    scaling: Scaling = Scaling()
    tracking: TrackingSection = TrackingSection()
