"""Find the modules that a config imports, without importing them. Imports nothing heavy."""

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from trainers.schema.config_names import is_python
from trainers.schema.config_text import imported_names, parse, source_of
from trainers.schema.config_values import dotted_name

# Part of the environment, as Python is: identity leaves their versions out for configs that name their classes, too.
ENVIRONMENT = frozenset({"mmengine", "mmdet", "mmcv", "torch", "torchvision", "numpy", "trainers", "orchestrator"})
INSTALLED = frozenset({"site-packages", "dist-packages"})
DYNAMIC = ("import_module", "__import__", "iter_modules", "walk_packages", "spec_from_file_location", "exec")
MOST = 2000  # files of imported modules


class TooMany(ValueError):
    """Report that a config imports more files than its identity can be computed from in a moment."""


@dataclass(slots=True)
class Imported:
    """Hold resolved imports: files outside the environment, and installed packages with their versions."""

    files: dict[Path, None] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)


def follow(names: Iterable[str], found: Imported) -> list[str]:
    """Add these modules to ``found``, and the imports of those that are not installed.

    Returns the names that lead nowhere. Raises ``TooMany``, and ``Unreadable`` for a module that is no Python.
    """
    return [name for name in names if not _is_environment(name) and not _add(name, found)]


def locate(name: str) -> ModuleSpec | None:
    """Return where a module lies: in the working directory, as workers see it, or on the path; ``None`` for nowhere."""
    top, *rest = name.split(".")
    spec = PathFinder.find_spec(top, [str(Path.cwd()), *sys.path]) or _by_any_finder(top)
    for count, part in enumerate(rest, start=1):
        if spec is None or spec.submodule_search_locations is None:
            return None
        full = ".".join((top, *rest[: count - 1], part))
        spec = PathFinder.find_spec(full, list(spec.submodule_search_locations))
    return spec


def _by_any_finder(top: str) -> ModuleSpec | None:
    """Ask the finders that editable installations add, too."""
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _is_environment(name: str) -> bool:
    return is_python(name) or name.partition(".")[0] in ENVIRONMENT


def _add(name: str, found: Imported) -> bool:
    """Add a module with the packages that it lies in; tell whether there is one."""
    parts = name.split(".")
    if locate(name) is None:
        return False
    for count in range(1, len(parts) + 1):
        inner = ".".join(parts[:count])
        spec = locate(inner)
        if spec is not None and spec.origin is not None:
            _add_spec(inner, Path(spec.origin), found)
    return True


def _add_spec(name: str, origin: Path, found: Imported) -> None:
    if INSTALLED.intersection(origin.parts):
        top = name.partition(".")[0]
        if top not in found.packages:
            found.packages[top] = _version(top)
    elif origin not in found.files and origin.is_file():
        _add_file(origin, found)
        if origin.suffix == ".py":
            _follow_source(name, origin, found)


def _add_file(path: Path, found: Imported) -> None:
    found.files[path] = None
    if len(found.files) > MOST:
        raise TooMany(f"imports more than {MOST} files that are not installed: install them as a package")


def _version(top: str) -> str:
    try:
        return f"{top} {version(top)}"
    except PackageNotFoundError:
        names = sorted(set(packages_distributions().get(top, ())))
        return " ".join(f"{name} {version(name)}" for name in names) or top


def _follow_source(name: str, path: Path, found: Imported) -> None:
    tree = parse(path, source_of(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for wanted in _imports(tree, package):
        if not _is_environment(wanted):
            _add(wanted, found)  # what is not there fails, or is not needed: the build tells
    calls = (dotted_name(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))
    if any(name.rpartition(".")[2] in DYNAMIC for name in calls):
        for file in sorted(path.parent.rglob("*.py")):  # it chooses while it runs: any of these
            if file not in found.files:
                _add_file(file, found)


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (name for group in imported_names(node) for name in group)
            yield from filter(None, (_absolute(name, package) for name in names))


def _absolute(name: str, package: str) -> str | None:
    """Return the absolute name of a relative import in ``package``, ``None`` when it leads out of everything."""
    stem = name.lstrip(".")
    level = len(name) - len(stem)
    if level == 0:
        return name
    parts = package.split(".") if package else []
    if level - 1 > len(parts):
        return None
    return ".".join((*parts[: len(parts) - level + 1], *filter(None, [stem]))) or None
