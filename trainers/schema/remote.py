"""Fetch public weights once, and check them against the digest in their name. Imports nothing heavy."""

import http
import http.client
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import BinaryIO

from trainers.schema.atomic import flush_file, flush_folder
from trainers.schema.digest import file_digest, recorded_digest

VARIABLE = "STILLHOUSE_CACHE"
URL = ("https://", "http://")
TIMEOUT_S = 60
BLOCK = 1 << 20
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8})\.pth$")
NO_SUCH_RANGE = 416  # HTTP: there is nothing behind what is already here


class FetchError(Exception):
    """Report, in one sentence, why weights could not be had."""


def cache_dir() -> Path:
    """Return the folder of fetched weights: below ``STILLHOUSE_CACHE``, else ``~/.cache/stillhouse``."""
    return cache_root() / "weights"


def cache_root() -> Path:
    """Return the folder of all that is kept on this machine: ``STILLHOUSE_CACHE``, else ``~/.cache/stillhouse``."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/stillhouse").expanduser()


def cached(url: str) -> Path:
    """Return where the local copy of ``url`` is, or would be."""
    return cache_dir() / url.rsplit("/", 1)[-1]


def fetch(url: str) -> Path:
    """Return the local copy of ``url``, downloading it once.

    The file appears under its name only when complete and when its SHA-256 begins with the eight digits in the name; a
    download that broke off goes on where it stopped, if there are such digits to check the whole against. The full
    SHA-256 is recorded beside the file, and later checks use it (see ``recorded_digest``). Several processes may fetch
    at once: one downloads. Raises ``FetchError`` when it cannot be had.
    """
    target = cached(url)
    try:
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _download_once(url, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(
            f"cannot fetch {url}: {reason}; put the file into {target.parent}, or start from random weights"
        ) from error
    return _unchanged(target)


def _unchanged(path: Path) -> Path:
    """Return ``path``; raise when its digest matches neither its name nor the record of its download."""
    what = f"{path}, which was fetched earlier,"
    try:
        digest = recorded_digest(path)
    except (OSError, ValueError) as error:
        raise FetchError(f"{what} {error}; remove it and try again") from error
    return _verified(path, path.name, digest, what)


def _verified(path: Path, name: str, digest: str, what: str) -> Path:
    match = HASH_IN_NAME.search(name)
    if match and not digest.startswith(match[1]):
        raise FetchError(f"{what} is damaged: its SHA-256 does not begin with {match[1]}; remove it and try again")
    return path


def _download_once(url: str, target: Path) -> None:
    """Download ``url`` to ``target``, unless another process has done so meanwhile."""
    part = target.with_name(f".{target.name}.part")
    with _alone_with(part) as stream:
        if not target.exists():
            try:
                download(url, stream)
                stream.flush()
                digest = file_digest(part)
                _verified(part, target.name, digest, f"the download from {url}")
            except FetchError:
                part.unlink()
                raise
            flush_file(part)  # the digest beside the file vouches for it from now on
            part.replace(target)
            flush_folder(target.parent)
            recorded_digest(target, digest)


@contextmanager
def _alone_with(part: Path) -> Iterator[BinaryIO]:
    """Open a partial file for appending and keep other processes out of it; leave it behind if it is worth going on with."""
    while True:
        with part.open("ab") as stream:
            flock(stream, LOCK_EX)
            if not _is(part, stream):
                continue  # another process has finished with this very file while we waited for it: look again
            try:
                yield stream
            finally:
                stream.flush()
                if _is(part, stream) and not _worth_keeping(part):
                    part.unlink()
            return


def _is(path: Path, stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _worth_keeping(part: Path) -> bool:
    """Return whether a download can go on from here: without digits in the name nothing tells two versions of a file apart."""
    return part.stat().st_size > 0 and HASH_IN_NAME.search(part.name.removesuffix(".part")) is not None


def download(url: str, stream: BinaryIO) -> None:
    """Append the missing rest of ``url`` to ``stream``.

    Raise ``OSError`` when the connection breaks off before the end.
    """
    here = stream.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != NO_SUCH_RANGE or not here:
            raise
        stream.truncate(0)
        response = urllib.request.urlopen(url, timeout=TIMEOUT_S)
    with response:
        if here and not _goes_on(response, here):
            stream.truncate(0)
            here = 0
        _copy(response, stream, here, url.rsplit("/", 1)[-1])


def _goes_on(response: http.client.HTTPResponse, here: int) -> bool:
    """Return whether a server that was asked for the rest sends the rest, and not everything."""
    return response.status == http.HTTPStatus.PARTIAL_CONTENT and (
        response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
    )


def _copy(response: http.client.HTTPResponse, stream: BinaryIO, here: int, name: str) -> None:
    length = response.headers.get("Content-Length", "")
    total = here + int(length) if length.isdigit() else None
    progress = _DownloadProgress(name, total, here)
    while block := response.read(BLOCK):
        stream.write(block)
        here += len(block)
        progress.at(here)
    if total is not None and here < total:
        raise OSError(f"the connection broke off after {here} of {total} bytes, try again to go on from there")


class _DownloadProgress:
    """Print a line to stderr each time that another tenth of a download is here."""

    def __init__(self, name: str, total: int | None, here: int) -> None:
        self.name, self.total = name, total
        self.tenths = self._tenths(here)

    def at(self, here: int) -> None:
        """Update the number of received bytes."""
        tenths = self._tenths(here)
        if tenths > self.tenths:
            size = f"{(self.total or 0) / (1 << 20):.1f} MiB"
            print(f"{self.name}: {tenths * 10} % of {size}", file=sys.stderr, flush=True)
        self.tenths = tenths

    def _tenths(self, here: int) -> int:
        return 10 * here // self.total if self.total else 0
