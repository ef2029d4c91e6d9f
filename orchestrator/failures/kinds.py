"""Sort failures into a closed list of kinds, and define for each the response and the number of retries."""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """Name a kind of failure."""

    CONFIG = "config error"
    NON_FINITE = "non-finite loss"
    OUT_OF_MEMORY = "out of memory"
    WORKER_LOST = "worker lost"
    PREEMPTED = "preempted"
    HANG = "hang"
    DISK_FULL = "disk full"
    STORAGE_DOWN = "storage down"
    TRACKER_DOWN = "tracker down"
    START_TIMEOUT = "start timeout"
    INTERRUPTED = "interrupted"
    PROGRAM = "program error"
    CRASH = "crash"


class Action(StrEnum):
    """Name a response to a failure."""

    STOP = "stop the trial"
    RESTART = "restart from the last state"
    HALVE = "restart with half the micro-batch"
    SPOOL = "go on, catch up later"
    RESUME_LATER = "keep the state for the next run"


@dataclass(frozen=True)
class Rule:
    """Hold the answer to a kind of failure: how often a run takes ``action`` for one trial before it stops the trial."""

    action: Action
    budget: int = 0
    pause_s: float = 0.0


# Each kind has a budget of its own: a machine that is taken away five times says nothing about the trial.
RULES = {
    FailureKind.CONFIG: Rule(Action.STOP),
    FailureKind.NON_FINITE: Rule(Action.STOP),
    FailureKind.OUT_OF_MEMORY: Rule(Action.HALVE, budget=16),
    FailureKind.WORKER_LOST: Rule(Action.RESTART, budget=5),
    FailureKind.PREEMPTED: Rule(Action.RESTART, budget=50),
    FailureKind.HANG: Rule(Action.RESTART, budget=2),
    FailureKind.DISK_FULL: Rule(Action.STOP),
    FailureKind.STORAGE_DOWN: Rule(Action.RESTART, budget=5, pause_s=5.0),
    FailureKind.TRACKER_DOWN: Rule(Action.SPOOL),
    FailureKind.START_TIMEOUT: Rule(Action.STOP),
    FailureKind.INTERRUPTED: Rule(Action.RESUME_LATER),
    FailureKind.PROGRAM: Rule(Action.STOP),
    FailureKind.CRASH: Rule(Action.RESTART, budget=2),
}
MOST_RESTARTS = sum(rule.budget for rule in RULES.values())

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
AWAY = frozenset({errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EREMOTEIO, errno.ETIMEDOUT, errno.EHOSTDOWN})
RAYS_LOST = ("RayActorError", "WorkerCrashedError", "NodeDiedError", "WorkerHealthCheckFailedError")
LOST = frozenset({*RAYS_LOST, "BrokerLost", "WorkerHealthCheckTimeoutError", "WorkerGroupStartupFailedError"})
# Ray says so of an actor whose class the worker cannot import: the next worker cannot either.
UNIMPORTABLE = "failed to import on the worker"
WRAPPED = ("controller_failure", "health_check_failure", "cause", "__cause__")
# Python raises these about the program and its input: a second attempt meets the same line with the same values.
PROGRAM = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, NotImplementedError,
    SyntaxError, TypeError, ValueError,
)  # fmt: skip
# torch reports tensors that do not fit together as a plain RuntimeError; so it reports broken connections.
SHAPES = re.compile(
    r"size of tensor a|shapes? .*(cannot be multiplied|is invalid for input|mismatch)|must match|size mismatch"
    r"|Sizes of tensors|[Ee]xpected .*(channels|dimension|dims|more than 1 value|to have \d+|same (dtype|device)|scalar type)"
    r"|Given groups=|Kernel size can't be greater|output dims|index .* out of (range|bounds)|not implemented for '"
)
# gloo and NCCL say so where the process at the other end is gone: its machine was lost, or it was killed.
PEER_IS_GONE = re.compile(r"gloo.*((closed|reset) by peer|Broken pipe)|ncclRemoteError|closed by remote peer")
OWN = {
    "TrialError": FailureKind.CONFIG,
    "NonFiniteLoss": FailureKind.NON_FINITE,
    "StartTimeout": FailureKind.START_TIMEOUT,
}


def classify(error: BaseException) -> FailureKind:
    """Return the kind of a failure, from the first error in its chain of causes that has one.

    Errors are known by the names of their classes: the libraries that raise them need not be loaded, and an error that
    comes from another process may be a copy of its class.
    """
    kinds = [kind for found in causes(error) if (kind := _kind(found)) is not None]
    if kinds and kinds[0] is FailureKind.WORKER_LOST:
        return FailureKind.PREEMPTED if FailureKind.PREEMPTED in kinds else FailureKind.WORKER_LOST
    if kinds:
        return kinds[0]
    if _program_error(error) is not None:
        return FailureKind.PROGRAM
    return FailureKind.WORKER_LOST if _only_peers_are_gone(error) else FailureKind.CRASH


def _only_peers_are_gone(error: BaseException) -> bool:
    """Return whether every worker that says something only says that another one is gone.

    Ray learns of a lost machine by its heartbeat, seconds after the lost worker's peers have met a broken connection.
    """
    innermost = [found for found in causes(error) if not _inner(found, implicit=True)]
    return bool(innermost) and all(PEER_IS_GONE.search(str(found)) for found in innermost)


def causes(error: BaseException, *, implicit: bool = True) -> Iterator[BaseException]:
    """Yield an error and its causes, outermost first; of several workers' errors the telling one first.

    ``implicit`` includes errors that were merely being handled when another was raised.
    """
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += _inner(found, implicit=implicit)


def _inner(error: BaseException, *, implicit: bool) -> list[BaseException]:
    """Return the errors that an error holds, of several workers' the telling one first."""
    workers = getattr(error, "worker_failures", None) or {}
    inner = [getattr(error, name, None) for name in WRAPPED]
    inner += [error.__context__] if implicit and not error.__suppress_context__ else []
    return sorted(workers.values(), key=_is_collateral) + [item for item in inner if isinstance(item, BaseException)]


def root_cause(error: BaseException) -> BaseException:
    """Return the error that gave the failure its kind, else the innermost one."""
    chain = list(causes(error))
    telling = next((found for found in chain if _kind(found) is not None), None)
    return telling or _program_error(error) or chain[-1]


def _program_error(error: BaseException) -> BaseException | None:
    """Return the error in the chain that would be raised again by the next attempt.

    A ``KeyError`` that was only being handled (a cache without the entry) says nothing, and an operating-system error
    may be gone the next time, regardless of its cause.
    """
    for found in causes(error, implicit=False):
        if isinstance(found, OSError):
            return None
        if isinstance(found, PROGRAM) or (type(found) is RuntimeError and SHAPES.search(str(found))):
            return found
    return None


def _kind(error: BaseException) -> FailureKind | None:
    names = [base.__name__ for base in type(error).__mro__]
    own = next((OWN[name] for name in names if name in OWN), None)
    if own is not None:
        return own
    if getattr(error, "preempted", False) is True:
        return FailureKind.PREEMPTED
    if LOST.intersection(names):
        return FailureKind.PROGRAM if UNIMPORTABLE in str(error) else FailureKind.WORKER_LOST
    if isinstance(error, OSError):
        return (
            FailureKind.DISK_FULL if error.errno in FULL else FailureKind.STORAGE_DOWN if error.errno in AWAY else None
        )
    return FailureKind.OUT_OF_MEMORY if _is_out_of_memory(error, names) else None


def _is_out_of_memory(error: BaseException, names: list[str]) -> bool:
    """Recognise torch's class and older error texts; a process killed by the system is a lost worker."""
    if isinstance(error, MemoryError):
        return True
    if "OutOfMemoryError" in names:
        return not type(error).__module__.startswith("ray")
    text = str(error)
    return isinstance(error, RuntimeError) and ("CUDA out of memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text)


def _is_collateral(error: BaseException) -> bool:
    """Return whether a worker's error may only follow from another's: the others' connections break when one fails."""
    return all(_kind(found) is None for found in causes(error)) and _program_error(error) is None
