"""An outage is told apart from a refusal: the one is waited for, the other says what to change."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from orchestrator.core.errors import OperationError
from orchestrator.tracking.faults import (
    LOGIN,
    PERMISSION,
    SERVER_FOLDER,
    STORAGE_LOGIN,
    TrackingRefused,
    Unreachable,
    plainly,
    will_pass,
)
from trainers.schema.foreign_json import ForeignJsonError


def turned(error: Exception) -> tuple[type[OperationError], str]:
    with pytest.raises(OperationError) as found, plainly():
        raise error
    assert found.value.__cause__ is error
    return type(found.value), str(found.value)


@pytest.mark.parametrize(
    ("status", "passes"),
    [
        (400, False),
        (401, False),
        (404, False),
        (408, True),
        (425, True),
        (429, True),
        (499, False),
        (500, True),
        ("503", True),
    ],
)
def test_some_answers_mean_later(status: Any, passes: bool) -> None:
    assert will_pass(status) is passes


def of_mlflow(code: str) -> MlflowException:
    return RestException({"error_code": code, "message": "no"})


@pytest.mark.parametrize(
    ("error", "kind", "way"),
    [
        (of_mlflow("INTERNAL_ERROR"), Unreachable, ""),
        (of_mlflow("TEMPORARILY_UNAVAILABLE"), Unreachable, ""),
        (of_mlflow("INVALID_PARAMETER_VALUE"), OperationError, ""),
        (of_mlflow("UNAUTHENTICATED"), TrackingRefused, f"; {LOGIN}"),
        (of_mlflow("PERMISSION_DENIED"), TrackingRefused, f"; {PERMISSION}"),
    ],
    ids=lambda value: value.error_code if isinstance(value, MlflowException) else "",
)
def test_an_error_of_mlflow_is_sorted_by_its_status(
    error: MlflowException, kind: type[OperationError], way: str
) -> None:
    found, said = turned(error)
    assert (found, said.startswith("the tracking store failed: ")) == (kind, True)
    assert said.endswith(way or "no")


def test_a_database_is_quoted_by_its_driver_and_not_by_statements() -> None:
    error = MlflowException("(psycopg2.OperationalError) ... [SQL: select]")
    cause = RuntimeError("of SQLAlchemy")
    cause.orig = "server closed the connection"  # type: ignore[attr-defined]
    with pytest.raises(Unreachable, match=r"^the tracking store failed: server closed the connection$"), plainly():
        raise error from cause


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST])
def test_a_folder_that_cannot_be_written_is_the_servers(number: int) -> None:
    kind, said = turned(OSError(number, "no", "/mlflow"))
    assert (kind, said.startswith("MLflow cannot write artifacts: ")) == (TrackingRefused, True)
    assert said.endswith(SERVER_FOLDER)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(None, Unreachable), (503, Unreachable), (400, OperationError), (401, TrackingRefused), (403, TrackingRefused)],
)
def test_an_upload_is_sorted_by_its_answer_and_a_broken_connection_passes(
    status: int | None, kind: type[OperationError]
) -> None:
    error = OSError(errno.ECONNRESET, "reset")
    if status is not None:
        error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
    assert turned(error)[0] is kind


def test_a_missing_package_and_a_damaged_answer_are_said() -> None:
    assert turned(ImportError("No module named 'boto3'")) == (
        TrackingRefused, "MLflow's client needs a package: No module named 'boto3'",
    )  # fmt: skip
    assert turned(ForeignJsonError("is nested too deeply")) == (
        OperationError, "the tracking store failed: its answer is nested too deeply",
    )  # fmt: skip


class HTTPClientError(Exception):
    """Stand for botocore's error of a server that does not answer."""


class ConnectTimeoutError(HTTPClientError):
    """Stand for one of its kinds."""


class ClientError(Exception):
    """Stand for botocore's error of a server's reply."""

    def __init__(self, status: int) -> None:
        super().__init__("denied")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


class NoCredentialsError(Exception):
    """Stand for botocore's error where there are none."""


for stand_in in (HTTPClientError, ConnectTimeoutError, ClientError, NoCredentialsError):
    stand_in.__module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectTimeoutError("slow"), True),
        (ClientError(503), True),
        (ClientError(403), False),
        (NoCredentialsError("none"), False),
    ],
    ids=["no answer", "503", "403", "no credentials"],
)
def test_a_storage_that_does_not_answer_passes_and_one_that_denies_wants_credentials(
    error: Exception, passes: bool
) -> None:
    kind, said = turned(error)
    assert kind is (Unreachable if passes else TrackingRefused)
    assert said == f"the storage of MLflow's artifacts failed: {error}" + ("" if passes else f"; {STORAGE_LOGIN}")


def test_the_reply_behind_a_storages_error_counts() -> None:
    error = NoCredentialsError("gave up")
    error.__context__ = ClientError(500)
    with pytest.raises(Unreachable), plainly():
        raise error from None


def test_a_mistake_of_ours_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), plainly():
        raise ZeroDivisionError
