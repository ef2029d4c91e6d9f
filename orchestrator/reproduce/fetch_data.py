"""Fetch public data sets: verify each archive's MD5, unpack it once, and resume interrupted downloads."""

import contextlib
import hashlib
import http.client
import shutil
import tarfile
import zipfile
from pathlib import Path

from orchestrator.core.errors import OperationError
from orchestrator.reproduce.sources import FETCHED, MD5, FileSource, Lack, note_of
from trainers.schema.remote import download


def fetch_data(lack: Lack) -> None:
    """Fetch and unpack missing data; an archive that was unpacked before is not touched again.

    Raises ``OperationError`` when a download fails, has the wrong digest, or has no known source.
    """
    if not lack.files or "${" in lack.unpack:
        raise OperationError(f"{lack.what}: cannot be fetched; put it there, or set STILLHOUSE_DATA")
    folder = Path(lack.unpack)
    for source in lack.files:
        try:
            _fetch(source, folder, note_of(source, lack))
        except (OSError, ValueError, http.client.HTTPException, zipfile.BadZipFile, tarfile.TarError) as error:
            raise OperationError(f"cannot fetch {source.url}: {error}; run again to go on") from error


def _fetch(source: FileSource, folder: Path, done: Path) -> None:
    archive = folder / FETCHED / done.stem
    if done.exists():
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.open("ab") as stream:
        download(source.url, stream)
    _require_digest(archive, source)
    _unpack(archive, folder)
    done.touch()
    archive.unlink()


def _require_digest(archive: Path, source: FileSource) -> None:
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != source.digest.removeprefix(MD5):
        archive.unlink()
        raise ValueError(f"its MD5 is {found} and should be {source.digest.removeprefix(MD5)}")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive; names in it that lead out of ``folder`` are refused or made harmless by Python's own rules."""
    if shutil.disk_usage(folder).free < archive.stat().st_size:
        raise OSError(f"no room in {folder} to unpack {archive.name}")
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    else:
        with contextlib.closing(tarfile.open(archive)) as packed_tar:
            packed_tar.extractall(folder, filter="data")
