"""Each failure has its kind, whatever wraps it, and each kind its answer."""

import errno
from pathlib import Path

import pytest

from orchestrator.failures.kinds import RULES, Action, FailureKind, causes, classify, root_cause
from orchestrator.failures.retry import judge, micro_batch_of, spent
from trainers.schema import Detector, Job, NoDistillation, Placement, Schedule, ShapesDataset, TrialSpec
from trainers.schema.events import EVENTS, Event, append_event, read_events


class TrialError(Exception):
    """Stand for the trainers' error, which is known by name."""


class NonFiniteLoss(TrialError):
    """Stand for the trainers' error."""


class OutOfMemoryError(RuntimeError):
    """Stand for torch's error."""


class RayActorError(Exception):
    """Stand for Ray's error."""

    preempted = False


class ActorDiedError(RayActorError):
    """Stand for Ray's error."""


GLOO = "[../gloo/transport/tcp/pair.cc:537] Read error [10.0.0.7]:19889: Connection reset by peer. This is caused by"
NCCL = (
    "NCCL error in: ProcessGroupNCCL.cpp:3763, remote process exited, NCCL version 2.28\nncclRemoteError: A call failed"
)


class WorkerGroupError(Exception):
    """Stand for Ray Train's error, which holds each failed worker's."""

    def __init__(self, worker_failures: dict[int, BaseException]) -> None:
        super().__init__("some workers failed")
        self.worker_failures = worker_failures


class RayTaskError(Exception):
    """Stand for Ray's error, which holds what the task raised."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("Traceback (most recent call last): ...")
        self.cause = cause


def preempted() -> RayActorError:
    error = ActorDiedError("the node is gone")
    error.preempted = True
    return error


def raised_from(inner: BaseException) -> BaseException:
    try:
        raise RuntimeError("cannot go on") from inner
    except RuntimeError as error:
        return error


def while_handling(handled: BaseException, error: BaseException) -> BaseException:
    try:
        try:
            raise handled
        except type(handled):
            raise error  # noqa: B904  the context is what is tested
    except type(error) as found:
        return found


FULL = OSError(errno.ENOSPC, "No space left on device", "resume.pt")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TrialError("no such class"), FailureKind.CONFIG),
        (NonFiniteLoss("loss/cls"), FailureKind.NON_FINITE),
        (OutOfMemoryError("tried to allocate"), FailureKind.OUT_OF_MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate"), FailureKind.OUT_OF_MEMORY),
        (MemoryError(), FailureKind.OUT_OF_MEMORY),
        (ActorDiedError("died"), FailureKind.WORKER_LOST),
        (preempted(), FailureKind.PREEMPTED),
        (FULL, FailureKind.DISK_FULL),
        (OSError(errno.EDQUOT, "quota"), FailureKind.DISK_FULL),
        (OSError(errno.ESTALE, "stale handle"), FailureKind.STORAGE_DOWN),
        (FileNotFoundError(errno.ENOENT, "no such file"), FailureKind.CRASH),
        (ConnectionResetError("peer"), FailureKind.CRASH),
        (RuntimeError("NCCL communicator was aborted on rank 1"), FailureKind.CRASH),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), FailureKind.CRASH),
        (ModuleNotFoundError("No module named 'timm'"), FailureKind.PROGRAM),
        (AttributeError("'list' object has no attribute 'in_channels'"), FailureKind.PROGRAM),
        (KeyError("Custom is not in the mmdet::model registry"), FailureKind.PROGRAM),
        (TypeError("got an unexpected keyword argument"), FailureKind.PROGRAM),
        (ValueError("what"), FailureKind.PROGRAM),
        (RuntimeError("The size of tensor a (64) must match the size of tensor b (32)"), FailureKind.PROGRAM),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x4 and 8x16)"), FailureKind.PROGRAM),
        (RuntimeError("offset output dims: (24, 24) - computed output dims: (12, 12)"), FailureKind.PROGRAM),
        (raised_from(KeyError("x")), FailureKind.PROGRAM),
        (raised_from(ConnectionResetError("peer")), FailureKind.CRASH),
        (while_handling(KeyError("x"), RuntimeError("no answer")), FailureKind.CRASH),
        (while_handling(KeyError("x"), ConnectionResetError("peer")), FailureKind.CRASH),
        (RayTaskError(KeyError("x")), FailureKind.PROGRAM),
        (WorkerGroupError({0: RuntimeError("connection closed by peer"), 1: KeyError("x")}), FailureKind.PROGRAM),
        (WorkerGroupError({0: KeyError("x"), 1: ActorDiedError("died")}), FailureKind.WORKER_LOST),
        (WorkerGroupError({0: RuntimeError(GLOO)}), FailureKind.WORKER_LOST),
        (WorkerGroupError({0: RayTaskError(RuntimeError(GLOO)), 2: RuntimeError(NCCL)}), FailureKind.WORKER_LOST),
        (WorkerGroupError({0: RuntimeError(GLOO), 1: RuntimeError("an odd thing")}), FailureKind.CRASH),
        (WorkerGroupError({0: RuntimeError(GLOO), 1: KeyError("x")}), FailureKind.PROGRAM),
        (WorkerGroupError({0: RuntimeError(GLOO), 1: preempted()}), FailureKind.PREEMPTED),
        (raised_from(FULL), FailureKind.DISK_FULL),
        (RayTaskError(NonFiniteLoss("loss/cls")), FailureKind.NON_FINITE),
        (
            WorkerGroupError({0: RuntimeError("connection closed by peer"), 1: TrialError("damaged")}),
            FailureKind.CONFIG,
        ),
        (
            WorkerGroupError({0: RuntimeError("connection closed by peer"), 1: ActorDiedError("died")}),
            FailureKind.WORKER_LOST,
        ),
        (WorkerGroupError({0: ActorDiedError("died"), 1: preempted()}), FailureKind.PREEMPTED),
    ],
    ids=repr,
)
def test_a_failure_has_the_kind_of_its_telling_cause(error: BaseException, kind: FailureKind) -> None:
    assert classify(error) is kind


def test_the_root_is_what_gave_the_kind_else_the_innermost() -> None:
    telling = TrialError("damaged")
    assert root_cause(WorkerGroupError({0: RuntimeError("peer"), 1: RayTaskError(telling)})) is telling
    inner = KeyError("x")
    assert root_cause(raised_from(inner)) is inner


def test_errors_that_quote_each_other_in_a_circle_end() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is FailureKind.CRASH


def test_every_kind_has_a_rule() -> None:
    assert set(RULES) == set(FailureKind)


# verdicts ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path: Path) -> Job:
    trial = TrialSpec(
        dataset=ShapesDataset(kind="shapes"),
        student=Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights="random"),
        method=NoDistillation(kind="none"),
        schedule=Schedule(batch_size=12),
    )
    return Job(trial=trial, trial_id="t", directory=str(tmp_path), placement=Placement(workers=2))


def verdicts(job: Job, error: BaseException, count: int, run: str = "now") -> list[bool]:
    return [judge(job, error, run).again for _ in range(count)]


def test_lost_workers_do_not_use_up_the_budget_of_crashes(job: Job) -> None:
    assert verdicts(job, ActorDiedError("died"), 6) == [True] * 5 + [False]
    assert verdicts(job, RuntimeError("what"), 3) == [True, True, False]
    assert verdicts(job, preempted(), 10) == [True] * 10


def test_another_run_has_budgets_of_its_own(job: Job) -> None:
    assert verdicts(job, RuntimeError("what"), 3, run="before")[-1] is False
    assert verdicts(job, RuntimeError("what"), 1, run="now") == [True]


@pytest.mark.parametrize("error", [TrialError("damaged"), NonFiniteLoss("loss/cls"), FULL, KeyError("x")])
def test_what_a_retry_cannot_mend_is_not_tried_again(job: Job, error: BaseException) -> None:
    assert verdicts(job, error, 1) == [False]
    [event] = read_events(job.directory)
    assert event.action == Action.STOP


def test_out_of_memory_halves_the_micro_batch_until_nothing_is_left_to_halve(job: Job) -> None:
    found = []
    while judge(job, OutOfMemoryError("tried to allocate"), "now").again:
        found.append(micro_batch_of(job))
    assert found == [3, 2, 1]  # of a worker's share: 12 images for 2 workers
    assert micro_batch_of(job) == 1
    assert "micro-batch 3, same global batch" in read_events(job.directory)[0].detail


def test_an_elastic_trial_halves_its_share_whatever_number_of_workers_it_has(job: Job) -> None:
    elastic = job.model_copy(update={"trial": job.trial.model_copy(update={"shares": 6})})
    assert judge(elastic, OutOfMemoryError("tried to allocate"), "now").again
    assert micro_batch_of(elastic) == 1  # of 2 images
    assert not judge(elastic, OutOfMemoryError("tried to allocate"), "now").again


def test_young_stacks_say_that_the_attempt_hung(job: Job, tmp_path: Path) -> None:
    (tmp_path / "stacks-0.txt").write_text("Thread 0x1: File loop.py, line 1")
    written = (tmp_path / "stacks-0.txt").stat().st_mtime
    assert judge(job, ActorDiedError("died"), "now", began=written + 5).kind is FailureKind.WORKER_LOST
    assert judge(job, ActorDiedError("died"), "now", began=written - 5).kind is FailureKind.HANG
    assert (tmp_path / "hang-2-0.txt").read_text().startswith("Thread")
    assert judge(job, ActorDiedError("died"), "now", began=written - 5).kind is FailureKind.WORKER_LOST


def test_a_full_disk_is_said_in_one_sentence(job: Job) -> None:
    reason = judge(job, raised_from(FULL), "now").reason
    assert "disk is full" in reason
    assert "resume.pt" in reason
    assert "\n" not in reason


# the timeline --------------------------------------------------------------------------------------------------------


def test_the_timeline_keeps_order_and_survives_a_line_that_was_cut_off(tmp_path: Path) -> None:
    assert read_events(tmp_path) == []
    first, second = (
        Event(FailureKind.HANG, Action.RESTART, "a", run="r"),
        Event(FailureKind.CRASH, Action.STOP, "b\nc", 2, "r"),
    )
    append_event(tmp_path, first)
    append_event(tmp_path, second)
    with (tmp_path / EVENTS).open("a") as stream:
        stream.write('{"kind": "crash", "act')
    assert read_events(tmp_path) == [first, second]
    assert spent([first, second], "r", FailureKind.HANG) == 1
    assert spent([first, second], "other", FailureKind.HANG) == 0


def test_a_line_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    (tmp_path / EVENTS).write_text('{"kind": "damaged", "action": "a", "detail": "d", "time": 1.5}\n')
    assert read_events(tmp_path) == [Event("damaged", "a", "d", time=1.5)]


def test_causes_include_what_was_being_handled_unless_that_is_left_out() -> None:
    def chained() -> BaseException:
        try:
            try:
                raise OSError("inner")
            except OSError:
                raise ValueError("outer")  # noqa: B904
        except ValueError as error:
            return error

    error = chained()
    assert [str(found) for found in causes(error)] == ["outer", "inner"]
    assert [str(found) for found in causes(error, implicit=False)] == ["outer"]
