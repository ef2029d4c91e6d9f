"""Distinguish an unreachable tracking store, which is retried, from one that refuses."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflow.exceptions import MlflowException

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.redact import first_line
from trainers.schema.foreign_json import ForeignJsonError

PASSING = (408, 425, 429)  # HTTP codes below 500 that say "later"
FORBIDDEN = 403
DENIED = (401, FORBIDDEN)
LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to credentials that the server accepts"
PERMISSION = f"ask for permission on the experiment, name another with tracking.experiment, or {LOGIN}"
CLIENT_CERTIFICATE = (
    "set MLFLOW_TRACKING_CLIENT_CERT_PATH to a file with a certificate that the server accepts, and its key"
)
STORAGE_LOGIN = "give this machine the storage's credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL), or start the MLflow server with --artifacts-destination"
NO_FOLDER = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
SERVER_FOLDER = "if that is a folder of the MLflow server's machine, start the server with --artifacts-destination"


class Unreachable(OperationError):
    """Report that the tracking store cannot be reached now. Nothing is lost: missing results remain on disk."""


class TrackingRefused(OperationError, UserError):
    """Report a tracking store that refuses until the user changes something, such as a password or an address.

    A command that it ends has the exit code of wrong input.
    """


@contextmanager
def plainly() -> Iterator[None]:
    """Turn errors of MLflow, and of files and networks below it, into ``Unreachable``, ``TrackingRefused`` or ``OperationError``."""
    try:
        yield
    except MlflowException as error:
        raise _failure(error, error.get_http_status_code()) from error  # type: ignore[no-untyped-call]
    except OSError as error:
        if error.errno in NO_FOLDER:
            raise TrackingRefused(f"MLflow cannot write artifacts: {first_line(error)}; {SERVER_FOLDER}") from error
        status = getattr(getattr(error, "response", None), "status_code", None)  # an upload that was answered
        raise _failure(error, status or 503) from error
    except ImportError as error:
        raise TrackingRefused(f"MLflow's client needs a package: {first_line(error)}") from error
    except ForeignJsonError as error:
        raise OperationError(f"the tracking store failed: its answer {error}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("boto3", "botocore"):  # whose errors have no base in common
            raise
        raise _storage_failure(error) from error


def _failure(error: Exception, status: int) -> OperationError:
    driver = getattr(error.__cause__, "orig", None)  # of SQLAlchemy, whose own words are statements and links
    said = f"the tracking store failed: {first_line(driver or error)}"
    if status in DENIED:
        return TrackingRefused(f"{said}; {PERMISSION if status == FORBIDDEN else LOGIN}")
    return Unreachable(said) if will_pass(status) else OperationError(said)


def _storage_failure(error: Exception) -> OperationError:
    """Return the error for a client of S3 that failed: without a reply it found no credentials, or no server."""
    said = f"the storage of MLflow's artifacts failed: {first_line(error)}"
    replies = [getattr(found, "response", None) for found in (error, error.__context__)]
    status = next((reply["ResponseMetadata"]["HTTPStatusCode"] for reply in replies if reply), None)
    passes = will_pass(status) if status else any(base.__name__ == "HTTPClientError" for base in type(error).__mro__)
    return Unreachable(said) if passes else TrackingRefused(f"{said}; {STORAGE_LOGIN}")


def will_pass(status: Any) -> bool:
    """Return whether an HTTP status means that the same request may succeed later."""
    return int(status) >= 500 or int(status) in PASSING
