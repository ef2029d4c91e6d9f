"""Fetch public weights once, and check them against the digest in their name. Imports nothing heavy."""

import hashlib
import http.client
import os
import re
import tempfile
import urllib.request
from pathlib import Path

VARIABLE = "STILLHOUSE_CACHE"
TIMEOUT_S = 60
BLOCK = 1 << 20
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8})\.pth$")


class FetchError(Exception):
    """Report, in one sentence, why weights could not be had."""


def cache_dir() -> Path:
    """Return the folder of fetched weights: below ``STILLHOUSE_CACHE``, else ``~/.cache/stillhouse``."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/stillhouse").expanduser() / "weights"


def cached(url: str) -> Path:
    """Return where the local copy of ``url`` is, or would be."""
    return cache_dir() / url.rsplit("/", 1)[-1]


def fetch(url: str) -> Path:
    """Return the local copy of ``url``, downloading it once.

    The file appears under its name only when complete and when its SHA-256 begins with the eight digits in the name;
    several processes may fetch at once. Raises ``FetchError`` when it cannot be had.
    """
    target = cached(url)
    if target.exists():
        return _verified(target, target.name, f"{target}, which was fetched earlier,")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return _download(url, target)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(
            f"cannot fetch {url}: {reason}; put the file into {target.parent}, or start from random weights"
        ) from error


def _download(url: str, target: Path) -> Path:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as partial:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
                while block := response.read(BLOCK):
                    partial.write(block)
            partial.close()
            return _verified(Path(partial.name), target.name, f"what came from {url}").replace(target)
        finally:
            Path(partial.name).unlink(missing_ok=True)


def _verified(path: Path, name: str, what: str) -> Path:
    match = HASH_IN_NAME.search(name)
    if match and not file_digest(path).startswith(match[1]):
        raise FetchError(f"{what} is damaged: its SHA-256 does not begin with {match[1]}; remove it and try again")
    return path


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
