"""Reach a folder in object storage by its address: every call ends within a bounded time, or says that it failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.redact import first_line, redacted

CONNECT_S, READ_S, TRIES = 10, 60, 3
SCHEMES = ("file", "s3", "gs")
PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}


class StorageUnavailable(OperationError):
    """Report that a storage does not answer, or refuses; it may answer later."""


class StorageBackend:
    """Put, get and list objects below one address, such as ``s3://bucket/folder``.

    An object is whole or absent. Raises ``UserError`` for an address that cannot be used here, ``StorageUnavailable`` when the
    storage fails. Credentials and endpoints come from the environment, as each storage's own programs read them.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        scheme, self._root = parts_of(address)
        self._system = _system(scheme, self.address)

    def put(self, file: Path, name: str) -> None:
        """Store a file's content under a name, replacing any earlier content."""
        with self._plainly():
            self._system.put_file(str(file), self._path(name))

    def write(self, content: bytes, name: str) -> None:
        """Store bytes under a name, replacing any earlier content."""
        with self._plainly():
            self._system.pipe_file(self._path(name), content)

    def get(self, name: str, file: Path) -> None:
        """Write an object's content to a file."""
        with self._plainly():
            self._system.get_file(self._path(name), str(file))

    def read(self, name: str) -> bytes | None:
        """Return an object's content, ``None`` when there is none."""
        with self._plainly():
            try:
                return bytes(self._system.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, without it."""
        with self._plainly():
            try:
                found = self._system.ls(self._path(folder), detail=False, refresh=True)
            except FileNotFoundError:
                return []
            return sorted(str(path).rpartition("/")[2] for path in found)

    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""
        with self._plainly():
            try:
                self._system.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each storage's library has errors of its own, and of those below it
            raise StorageUnavailable(f"the storage {redacted(self.address)} fails: {first_line(error)}") from error


def parts_of(address: str) -> tuple[str, str]:
    """Return the scheme of a storage's address and the folder there; raise ``UserError`` for any other text."""
    scheme, found, rest = address.rstrip("/").partition("://")
    if not found or scheme not in SCHEMES or not rest:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UserError(f"{redacted(address)} is not a storage address: it must begin with {known}")
    return scheme, rest


def _system(scheme: str, address: str) -> Any:
    """Return fsspec's file system for a scheme, with time-outs where it talks to a network."""
    import fsspec

    options: dict[str, Any] = {"skip_instance_cache": True}
    if scheme == "file":
        options |= {"auto_mkdir": True}
    if scheme == "s3":
        limits = {"connect_timeout": CONNECT_S, "read_timeout": READ_S, "retries": {"max_attempts": 1}}
        options |= {"config_kwargs": limits, "use_listings_cache": False}
    if scheme == "gs":
        options |= {"timeout": READ_S, "use_listings_cache": False}
    try:
        system = fsspec.filesystem(scheme, **options)
    except (ImportError, ValueError) as error:
        package = PACKAGES.get(scheme, scheme)
        raise UserError(f"{redacted(address)} needs the package {package} in this environment") from error
    except Exception as error:
        raise StorageUnavailable(f"the storage {redacted(address)} cannot be used: {error}") from error
    if scheme in PACKAGES:
        system.retries = TRIES
    return system
