"""Read a torch checkpoint of either format as data (see ``trainers.formats.unpickle``), without ``torch.load``."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO

import torch
from torch import Tensor

from trainers.formats.rebuild import StorageType
from trainers.formats.unpickle import load_data
from trainers.schema.pickled_objects import RefusedPickle
from trainers.schema.torch_archive import TorchFile, legacy_pickles, open_torch_file, pickle_of

PART = 4 << 20  # bytes that are copied at once
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # what torch's format before 1.6 begins with
Make = Callable[[str, torch.dtype, int], Tensor]  # key, type, number of elements -> (elements,)


def read_data(path: Path) -> Any:
    """Return a checkpoint's contents: tensors and plain data as they are, every other object as an ``Opaque``.

    Raises one of ``trainers.schema.torch_archive.DAMAGE`` when the file is damaged, or takes more memory or time than
    a checkpoint of its size needs.
    """
    with open_torch_file(path) as found:
        return _read_legacy(found) if found.archive is None else _read_zip(found.archive, found.size)


def _read_zip(archive: zipfile.ZipFile, size: int) -> Any:
    """Read torch's format since 1.6: a pickle, and beside it one record for each storage."""
    with pickle_of(archive) as (folder, stream):
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise RefusedPickle("the archive holds numbers of a big-endian machine")

        def storage(key: str, dtype: torch.dtype, elements: int) -> Tensor:
            return _stored(archive, f"{folder}data/{key}", torch.empty(elements, dtype=dtype))

        return load_data(stream, _Storages(storage, size).load)


def _stored(archive: zipfile.ZipFile, name: str, storage: Tensor) -> Tensor:
    """Fill a storage with a record's bytes."""
    found = archive.getinfo(name)
    if found.file_size != storage.nbytes:
        raise RefusedPickle("a storage is longer or shorter than the pickle says")
    if storage.nbytes:
        with archive.open(found) as record:
            _fill(storage, record)
    return storage


def _read_legacy(found: TorchFile) -> Any:
    """Read torch's format before 1.6: five pickles, then the bytes of all storages."""
    stream = legacy_pickles(found)
    header = [load_data(stream, _refuse) for _ in range(3)]
    if header[:2] != [MAGIC, PROTOCOL]:
        raise RefusedPickle("the file does not begin as torch's")
    storages = _Storages(lambda _, dtype, elements: torch.empty(elements, dtype=dtype), found.size)
    result = load_data(stream, storages.load)
    keys = load_data(stream, _refuse)
    known = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not known or sorted(keys) != sorted(storages.made):
        raise RefusedPickle("the file does not hold the storages that its pickle refers to")
    for key in keys:
        _fill_next(storages.made[key], found.file)
    return result


def _fill_next(storage: Tensor, file: BinaryIO) -> None:
    """Copy the next storage of a legacy file into place: its number of elements, then they."""
    if int.from_bytes(file.read(8), "little") != len(storage):
        raise RefusedPickle("a storage is longer or shorter than the pickle says")
    if storage.nbytes:
        _fill(storage, file)


def _fill(storage: Tensor, source: IO[bytes]) -> None:
    """Copy as many bytes as the storage has into place, (elements,) of any type."""
    content: Any = storage.view(torch.uint8).numpy()
    place = memoryview(content)
    at = 0
    while at < len(place):
        part = source.read(min(PART, len(place) - at))
        if not part:
            raise RefusedPickle("a storage is shorter than the pickle says")
        place[at : at + len(part)] = part
        at += len(part)


def _refuse(_: Any) -> Any:
    raise RefusedPickle("the pickle refers to storages where there are none")


class _Storages:
    """Turn torch's persistent ids into tensors, (elements,); equal keys share one tensor.

    All storages together hold ``limit`` bytes at most: the size of the file.
    """

    def __init__(self, make: Make, limit: int) -> None:
        self._make, self._left = make, limit
        self.made: dict[str, Tensor] = {}

    def load(self, identity: Any) -> Tensor:
        """Return the tensor of a persistent id."""
        kind, key, elements, view = _identity(identity)
        if key not in self.made:
            self._left -= elements * kind.dtype.itemsize
            if self._left < 0:
                raise RefusedPickle("the pickle refers to more storages than the file can hold")
            self.made[key] = self._make(key, kind.dtype, elements)
        return _part(self.made[key], view)


def _identity(identity: Any) -> tuple[StorageType, str, int, Any]:
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise RefusedPickle("the pickle refers to something other than a storage")
    _, kind, key, _, elements, *view = identity
    if not (isinstance(kind, StorageType) and isinstance(key, str) and type(elements) is int and elements >= 0):
        raise RefusedPickle("the pickle refers to a storage that is none")
    return kind, key, elements, view[0] if view else None


def _part(storage: Tensor, view: Any) -> Tensor:
    """Return the part of a storage that files of torch 0.3 and older name: (key, offset, elements)."""
    if view is None:
        return storage
    if not (isinstance(view, tuple) and len(view) == 3 and all(type(number) is int for number in view[1:])):
        raise RefusedPickle("the pickle refers to a part of a storage that is none")
    return storage[view[1] : view[1] + view[2]]
