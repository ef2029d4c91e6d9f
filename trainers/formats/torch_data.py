"""Read a torch checkpoint of either format as data (see ``trainers.formats.unpickle``), without ``torch.load``."""

import mmap
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.formats.rebuild import StorageType
from trainers.formats.unpickle import load_data
from trainers.schema.pickled_objects import RefusedPickle

MAX_PICKLE = 256 << 20  # bytes; a training log of a million numbers takes 20 MiB
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # what torch's format before 1.6 begins with
Storages = Callable[[str, torch.dtype, int], Tensor]  # key, type, number of elements -> (elements,)


def read_data(path: Path) -> Any:
    """Return a checkpoint's contents: tensors and plain data as they are, every other object as an ``Opaque``.

    Raises ``RefusedPickle``, ``ValueError``, ``OSError`` or ``zipfile.BadZipFile`` when the file is damaged.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _read_zip(archive, path.stat().st_size)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _read_legacy(content)


def require_stored(path: Path) -> None:
    """Raise ``RefusedPickle`` for an archive that unpacks to more than its own size, which torch's never do."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
    compressed = any(record.compress_type != zipfile.ZIP_STORED for record in records)
    if compressed or sum(record.file_size for record in records) > path.stat().st_size:
        raise RefusedPickle("its records are compressed, or overlap")


def _read_zip(archive: zipfile.ZipFile, size: int) -> Any:
    """Read torch's format since 1.6: a pickle, and beside it one record for each storage."""
    names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(names) != 1:
        raise RefusedPickle("the archive holds no pickle of torch's")
    folder = names[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and _record(archive, f"{folder}byteorder", 16) != b"little":
        raise RefusedPickle("the archive holds numbers of a big-endian machine")

    def storage(key: str, dtype: torch.dtype, elements: int) -> Tensor:
        wanted = elements * dtype.itemsize
        content = _record(archive, f"{folder}data/{key}", wanted)
        if len(content) != wanted:
            raise RefusedPickle("a storage is shorter than the pickle says")
        return torch.frombuffer(bytearray(content), dtype=dtype) if wanted else torch.empty(0, dtype=dtype)

    return load_data(BytesIO(_record(archive, names[0], MAX_PICKLE)), _persistent(storage, size))


def _record(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """Return a record's bytes; torch writes records uncompressed, so a compressed record is not torch's."""
    found = archive.getinfo(name)
    if found.compress_type != zipfile.ZIP_STORED or found.file_size > largest:
        raise RefusedPickle(f"the record {name} is compressed, or longer than the pickle says")
    return archive.read(found)


def _read_legacy(content: mmap.mmap) -> Any:
    """Read torch's format before 1.6: five pickles, then the bytes of all storages."""
    header = [load_data(content, _refuse) for _ in range(3)]  # type: ignore[arg-type]  # a mmap reads like a file
    if header[:2] != [MAGIC, PROTOCOL]:
        raise RefusedPickle("the file does not begin as torch's")
    made: dict[str, Tensor] = {}

    def storage(_: str, dtype: torch.dtype, elements: int) -> Tensor:
        return torch.empty(elements, dtype=dtype)

    result = load_data(content, _persistent(storage, len(content), made))  # type: ignore[arg-type]
    keys = load_data(content, _refuse)  # type: ignore[arg-type]
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(made):
        raise RefusedPickle("the file does not hold the storages that its pickle refers to")
    for key in keys:
        _fill(made[key], content)
    return result


def _fill(storage: Tensor, content: mmap.mmap) -> None:
    """Copy the next storage of a legacy file into place: its number of elements, then they."""
    elements = int.from_bytes(content.read(8), "little")
    raw = content.read(elements * storage.element_size()) if elements == len(storage) else b""
    if elements != len(storage) or len(raw) != storage.nbytes:
        raise RefusedPickle("a storage is shorter than the pickle says")
    if elements:
        storage.copy_(torch.frombuffer(bytearray(raw), dtype=storage.dtype))


def _refuse(_: Any) -> Any:
    raise RefusedPickle("the pickle refers to storages where there are none")


def _persistent(storage: Storages, limit: int, made: dict[str, Tensor] | None = None) -> Callable[[Any], Tensor]:
    """Return a function from torch's persistent ids to tensors, (elements,); equal keys share one tensor.

    All storages together hold ``limit`` bytes at most: the size of the file.
    """
    known: dict[str, Tensor] = {} if made is None else made

    def load(identity: Any) -> Tensor:
        kind, key, elements, view = _identity(identity)
        if key not in known:
            if elements * kind.dtype.itemsize + sum(other.nbytes for other in known.values()) > limit:
                raise RefusedPickle("the pickle refers to more storages than the file can hold")
            known[key] = storage(key, kind.dtype, elements)
        return _part(known[key], view)

    return load


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
