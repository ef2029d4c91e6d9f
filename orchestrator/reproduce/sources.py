"""Find data sets and weights that a reproduction needs and this machine lacks, with their sources."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.tables import read_yaml, study_file
from orchestrator.study.load import load_study
from trainers.schema.remote import cached
from trainers.schema.zoo import checkpoint_names, find_checkpoint

MD5 = "MD5 "
# In the folder that archives are unpacked in: archives on their way, and notes of those that are done.
FETCHED = ".fetched"


@dataclass(frozen=True)
class FileSource:
    """Hold one file to fetch; ``digest`` says how its content is known, ``place`` where it belongs."""

    url: str
    digest: str
    place: str


@dataclass(frozen=True)
class Lack:
    """Hold one missing data set or weights file.

    ``gb`` is its size where it is known, ``unpack`` the folder that archives are unpacked in.
    """

    what: str
    files: tuple[FileSource, ...]
    gb: float | None = None
    unpack: str = ""


def lacking(run_plan: RunPlan) -> list[Lack]:
    """Return the data and weights that are missing here, each once; random weights that stand in are not missing."""
    roots = dict.fromkeys(root for job in run_plan.jobs.values() for root in [_root(job.name)] if root)
    data = [] if run_plan.options.fidelity == "smoke" else [_data(root) for root in roots if not _is_here(root)]
    urls = dict.fromkeys(url for job in run_plan.jobs.values() for url in job.fetch)
    return [*data, *(Lack("weights", (_weights(url),)) for url in urls)]


def replaced_weights(run_plan: RunPlan) -> list[str]:
    """Return the addresses of weights that random ones stand in for."""
    return list(dict.fromkeys(url for job in run_plan.jobs.values() for url in job.replaced))


def _root(job: str) -> str | None:
    """Return the folder of the data that a study of the paper names, as its file has it."""
    path = study_file(job)
    dataset = load_study(path).study.dataset if path else None
    return getattr(dataset, "root", None) if path else None


def _is_here(root: str) -> bool:
    """Return whether a data set's folder is here, and not one that is still being fetched."""
    lack = _data(root)
    on_its_way = lack.unpack and (Path(lack.unpack) / FETCHED).is_dir()
    return Path(root).is_dir() and not (on_its_way and any(not note_of(source, lack).exists() for source in lack.files))


def note_of(source: FileSource, lack: Lack) -> Path:
    """Return the file that says that an archive has been unpacked."""
    return Path(lack.unpack) / FETCHED / f"{source.url.rsplit('/', 1)[-1]}.done"


def _data(root: str) -> Lack:
    known = next((source for source in _sources().values() if root.rstrip("/").endswith("/" + source["folder"])), None)
    place = os.path.expandvars(root)
    if known is None:
        return Lack(f"data in {place}", ())
    files = tuple(FileSource(file["url"], f"{MD5}{file['md5']}", place) for file in known["files"])
    return Lack(f"data in {place}", files, float(known["gb"]), os.path.normpath(Path(place) / known["unpack"]))


def _weights(url: str) -> FileSource:
    digits = _digests().get(url)
    return FileSource(url, f"SHA-256 {digits}..." if digits else "as in its name", str(cached(url).parent))


@cache
def _digests() -> dict[str, str]:
    found = (find_checkpoint(name) for name in checkpoint_names())
    return {one.url: one.sha256 for one in found if one is not None}


@cache
def _sources() -> dict[str, Any]:
    return read_yaml("sources.yaml")
