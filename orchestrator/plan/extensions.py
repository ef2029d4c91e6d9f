"""Identify the code of installed packages that add terms or heads, so that an edited one is tried again."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from trainers.schema.heads import GROUP as HEADS
from trainers.schema.plugins import top_packages
from trainers.schema.terms import GROUP as TERMS


@cache
def extensions() -> dict[str, str]:
    """Return a digest of the Python files of each package that adds a term or a head, by the package's name.

    Imports none of them.
    """
    return {name: _digest(name) for name in top_packages(TERMS, HEADS)}


def _digest(package: str) -> str:
    found = hashlib.sha256()
    for file in _files(package):
        content = file.read_bytes()
        found.update(f"{file.name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _files(package: str) -> list[Path]:
    spec = find_spec(package)
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
    single = [] if folders or spec is None or spec.origin is None else [Path(spec.origin)]
    return [*single, *(file for folder in folders for file in sorted(folder.rglob("*.py")))]
