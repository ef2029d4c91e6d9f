"""Distinguish an unreachable tracking store, which is retried, from one that refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflow.exceptions import MlflowException

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import first_line

PASSING = (408, 425, 429)  # HTTP codes below 500 that say "later"


class Unreachable(OperationError):
    """Report that the tracking store cannot be reached now. Nothing is lost: missing results remain on disk."""


@contextmanager
def plainly() -> Iterator[None]:
    """Turn errors of MLflow, and of files and networks below it, into ``Unreachable`` or ``OperationError``."""
    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]
        kind = Unreachable if will_pass(status) else OperationError
        raise kind(f"the tracking store failed: {first_line(error)}") from error
    except OSError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)  # an upload that was answered
        kind = OperationError if status and not will_pass(status) else Unreachable
        raise kind(f"the tracking store failed: {first_line(error)}") from error


def will_pass(status: Any) -> bool:
    """Return whether an HTTP status means that the same request may succeed later."""
    return int(status) >= 500 or int(status) in PASSING
