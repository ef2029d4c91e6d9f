"""Find the files that Stillhouse ships: ``stillhouse::studies/quickstart.yaml``, in a checkout and in a wheel."""

import os
from pathlib import Path

from orchestrator.study.wording import closest, enumeration
from trainers.schema.zoo import configs_dir

SHIPPED = "stillhouse::"  # a file of the folder ``configs``, wherever that is installed
STUDIES = "studies"
CUTOFF = 0.5


def shipped_file(name: str) -> Path:
    """Return the file of the folder ``configs`` that ``stillhouse::path`` names; a path that leads out of it is none."""
    root = configs_dir().resolve()
    path = root / name.removeprefix(SHIPPED)
    return path if os.path.normpath(path).startswith(f"{root}{os.sep}") else root / "no such file"


def study_file(name: str | Path) -> Path:
    """Return the file that a STUDY argument names: a path, or ``stillhouse::path``."""
    return shipped_file(str(name)) if str(name).startswith(SHIPPED) else Path(name)


def shipped_studies() -> list[str]:
    """Return the names of the shipped studies."""
    folder = configs_dir() / STUDIES
    return [f"{SHIPPED}{STUDIES}/{path.name}" for path in sorted(folder.glob("*.yaml"))]


def lacks_study(name: str) -> str:
    """Return why ``stillhouse::path`` is no shipped study, with the name that was meant or all names."""
    names = shipped_studies()
    known = {word: full for full in names for word in (full, Path(full).stem, Path(full).name)}
    meant = known.get(closest(name.removeprefix(SHIPPED).removeprefix(f"{STUDIES}/"), list(known), CUTOFF) or "")
    return f"no such shipped study: {f'did you mean {meant}?' if meant else f'there are {enumeration(names)}'}"
