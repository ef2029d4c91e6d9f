"""Keep the samples of large annotation files on this machine, so that its processes read and share them.

A split's samples lie in a folder of arrays that are mapped into memory: workers, their loader processes and later cohorts
use the same pages. The folder's name is a digest of everything that decides about its content: the annotation files, the
data set's settings and the code that reads them, then the names in the folders in which images were looked up.
"""

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, flock
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import trainers
from trainers.data.samples import Samples, from_arrays, to_arrays
from trainers.schema import CocoDataset
from trainers.schema.annotations import FileDataset, SplitName, sources
from trainers.schema.annotations.usage import Densest, Usage
from trainers.schema.digest import file_digest
from trainers.schema.foreign_json import parse_json
from trainers.schema.remote import cache_root
from trainers.schema.tree import Tree

WORTH = 4 << 20  # bytes of annotations; fewer are read in half a second
MOST = 32  # indexes that are kept
KEPT_S = 86_400.0  # seconds since its last use in which an index is not removed: a loader process may open it
CODE = ("schema/**/*.py", "data/samples.py", "data/plain_samples.py", "data/sample_index.py")
META = "meta.json"
log = logging.getLogger(__name__)
Listings = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class SplitSamples:
    """Hold a split's samples, its counts, and the names in each folder in which images were looked up."""

    samples: Samples
    usage: Usage
    listings: Listings


@dataclass(frozen=True, slots=True)
class IndexedSamples:
    """Hold samples and counts; ``folder`` is where they are mapped from, ``None`` where memory alone holds them."""

    samples: Samples
    usage: Usage
    folder: Path | None = None


def indexed(spec: FileDataset, split: SplitName, read: Callable[[], SplitSamples]) -> IndexedSamples:
    """Return a split's samples from this machine's index; without one, ``read`` them and write it.

    Of several processes one reads, and the others wait for it. Where no index is worth it, or none can be written, each process
    reads. An index that is damaged is written anew. Passes on the errors of ``read``.
    """
    key = _key(spec, split)
    if key is None:
        return _in_memory(read())
    if (found := _found(spec, key)) is not None:
        return found
    try:
        with _alone():
            return _found(spec, key) or _written(spec, split, key, read)
    except _NoPlace as error:
        log.debug("samples are not kept: %s", error)
        return _in_memory(read())


def indexes() -> Path:
    """Return the folder of indexes."""
    return cache_root() / "samples"


def map_samples(folder: Path) -> Samples:
    """Map the samples of an index into memory; raises ``OSError`` or ``ValueError`` where it is gone or damaged."""
    meta = parse_json((folder / META).read_bytes())
    arrays: dict[str, NDArray[Any]] = {name: _mapped(folder / f"{name}.npy") for name in meta["digests"]}
    return from_arrays(arrays, evaluated=meta["evaluated"])


def _mapped(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))  # a plain array: faster to take parts of


# --------------------------------------------------------------------------------------------------------- its name


def _key(spec: FileDataset, split: SplitName) -> str | None:
    """Return the name of a split's index, ``None`` where none is worth it or nothing tells whether it is right."""
    code = _code()
    if code is None or not isinstance(spec, CocoDataset):
        return None
    files = sources(spec, split)
    try:
        if sum(file.stat().st_size for file in files) < WORTH:
            return None
        digests = [file_digest(file) for file in files]
    except OSError:
        return None  # the reader says why
    settings = [spec.model_dump(mode="json"), str(Path(spec.root).absolute()), split]
    return sha256(json.dumps([code, settings, digests], sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(1)
def _code() -> str | None:
    """Return a digest of the code that reads annotations, ``None`` where its source is not at hand."""
    root = Path(trainers.__file__).parent
    files = sorted(file for pattern in CODE for file in root.glob(pattern))
    try:
        return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest() if files else None
    except OSError:
        return None


def _names_digest(names: frozenset[str]) -> str:
    return sha256("\0".join(sorted(names)).encode("utf-8", "surrogatepass")).hexdigest()


# ------------------------------------------------------------------------------------------------------- its content


def _in_memory(found: SplitSamples) -> IndexedSamples:
    return IndexedSamples(found.samples, found.usage)


def _found(spec: FileDataset, key: str) -> IndexedSamples | None:
    """Return the samples of the index that was written for the present folders of images."""
    try:
        folders = sorted(indexes().glob(f"{key}-*"))
    except (OSError, RuntimeError):  # RuntimeError: this user has no home folder
        return None
    return next((kept for folder in folders if (kept := _opened(spec, folder)) is not None), None)


def _opened(spec: FileDataset, folder: Path) -> IndexedSamples | None:
    """Return an index's samples, ``None`` where it is damaged, or folders of images have changed."""
    try:
        meta = parse_json((folder / META).read_bytes())
        if not _is_whole(folder, meta["digests"]) or not _is_current(spec, meta["listings"]):
            return None
        counts = meta["usage"]
        usage = Usage(**{**counts, "densest": Densest(**counts["densest"])})
        samples = map_samples(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):
        os.utime(folder)  # the last use
    return IndexedSamples(samples, usage, folder)


def _is_whole(folder: Path, digests: Mapping[str, str]) -> bool:
    return all(file_digest(folder / f"{name}.npy") == digest for name, digest in digests.items())


def _is_current(spec: FileDataset, listings: Mapping[str, str]) -> bool:
    tree = Tree(spec.root)
    return all(_names_digest(tree.names(place)) == digest for place, digest in listings.items())


def _written(spec: FileDataset, split: SplitName, key: str, read: Callable[[], SplitSamples]) -> IndexedSamples:
    found = read()
    if _key(spec, split) != key:  # edited while it was read
        return _in_memory(found)
    listings = {place: _names_digest(names) for place, names in found.listings.items()}
    folder = indexes() / f"{key}-{sha256(json.dumps(listings, sort_keys=True).encode()).hexdigest()[:16]}"
    try:
        _write(folder, found, listings)
        _remove_old(folder)
    except OSError as error:
        log.debug("samples are not kept: %s", error)
    return _opened(spec, folder) or _in_memory(found)


def _write(folder: Path, found: SplitSamples, listings: Mapping[str, str]) -> None:
    """Write an index beside its place and rename it."""
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        arrays = to_arrays(found.samples)
        for name, array in arrays.items():
            np.save(partial / f"{name}.npy", array, allow_pickle=False)
        meta = {
            "evaluated": found.samples.evaluated,
            "usage": asdict(found.usage),
            "listings": listings,
            "digests": {name: file_digest(partial / f"{name}.npy") for name in arrays},
        }
        (partial / META).write_text(json.dumps(meta), encoding="utf-8")
        if folder.exists():  # damaged
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_old(new: Path) -> None:
    """Remove the indexes that are beyond ``MOST`` and were not used for long, and the leftovers of processes that died."""
    found = sorted(((entry.stat().st_mtime, entry) for entry in new.parent.iterdir() if entry.is_dir()), reverse=True)
    for place, (used, entry) in enumerate(found):
        is_left = entry.name.startswith(".partial-")
        if entry != new and time.time() - used > KEPT_S and (is_left or place >= MOST):
            shutil.rmtree(entry, ignore_errors=True)


# -------------------------------------------------------------------------------------------------------- its writer


class _NoPlace(Exception):
    """Report that the folder of indexes cannot be written."""


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes from writing an index for the length of a block; raises ``_NoPlace`` where none can be written."""
    try:
        indexes().mkdir(parents=True, exist_ok=True)
        stream = (indexes() / "lock").open("ab")
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home folder
        raise _NoPlace(str(error)) from error
    with stream:
        try:
            flock(stream, LOCK_EX)
        except OSError as error:
            raise _NoPlace(str(error)) from error
        yield
