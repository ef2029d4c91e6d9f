"""Find everything that a local mmengine config reads, without running it. Imports nothing heavy.

Identities use it for the contents that count, findings for the config's settings, submissions for the files to ship.
"""

import importlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from trainers.schema.config_modules import Imported, TooMany, follow, locate
from trainers.schema.config_text import DATA_FORMATS, ConfigText, KeyPath, PythonConfig, Unreadable, read_data
from trainers.schema.config_values import merged
from trainers.schema.digest import file_digest
from trainers.schema.zoo import OWN

LONGEST_NAME = 1000
LONGEST_MESSAGE = 600  # characters
MOST_READ = 500  # configs that one builds on, each as often as it is named
NOWHERE = "which is not there: install it, or name its folder in PYTHONPATH"
NOT_LOADED: tuple[KeyPath, ...] = (("init_cfg",), ("backbone", "init_cfg"))  # of a model: the study says its weights


class ConfigLine(NamedTuple):
    """Point at a line of a config; ``shipped`` when the file belongs to an installed package."""

    path: Path
    number: int
    shipped: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


@dataclass(slots=True)
class LocalConfig:
    """Hold a local config's settings and the files that it reads.

    ``files`` are the files that count by content, the config first, ``digests`` their SHA-256; ``shipped`` are configs of installed packages that
    it builds on, by name; ``values`` are its keys and those of its bases as mmengine merges them, ``lines`` where they
    are given. ``missing`` are modules that lead nowhere. ``problems`` say why its identity cannot be told from its text.
    """

    path: Path
    files: dict[Path, None] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    shipped: dict[str, None] = field(default_factory=dict)
    imported: Imported = field(default_factory=Imported)
    missing: dict[str, None] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, ConfigLine] = field(default_factory=dict)
    problems: dict[tuple[ConfigLine, str], None] = field(default_factory=dict)

    @property
    def stands_alone(self) -> bool:
        """Return whether the config's own file is all that it reads."""
        return len(self.files) == 1 and not (self.shipped or self.imported.packages or self.missing or self.variables)

    def line_of(self, *path: str | int) -> ConfigLine:
        """Return the line of a key or its nearest parent, or the config's first line."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines[path] if path else ConfigLine(self.path, 1, shipped=False)

    def identity(self) -> dict[str, Any]:
        """Return everything that affects the config's settings, as JSON: contents and versions, no paths."""
        return {
            "files": list(self.digests.values()),
            "shipped": [[name, _version_of(name.partition("::")[0])] for name in self.shipped],
            "packages": sorted(self.imported.packages.values()),
            "missing": sorted(self.missing),
            "variables": self.variables,
        }


def read_config(path: Path) -> LocalConfig:
    """Parse the config at ``path`` without running it; parts that its text does not determine are problems.

    The result is kept until a file or a variable that it depends on changes.
    """
    kept = _kept.get(path)
    if kept is None or kept[0] != _state(kept[1]):
        config = _ConfigReader(path).config
        kept = _kept[path] = (_state(config), config)
    return kept[1]


_kept: dict[Path, tuple[object, LocalConfig]] = {}


def _state(config: LocalConfig) -> object:
    names = (config.path, *config.files)
    return [_stat(path) for path in names], {name: os.environ.get(name) for name in config.variables}, str(Path.cwd())


def _is_file(path: Path) -> bool:
    """Return whether a file is there; a config may name one with more characters than a name can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


class _ConfigReader:
    """Read a config and its bases, depth first, as mmengine does."""

    def __init__(self, path: Path) -> None:
        importlib.invalidate_caches()  # a module may have come since the last look
        self.config = LocalConfig(path)
        self._open: list[Path] = []
        self._count = 0
        self.config.values, self.config.lines = self._read(path, shipped=False)
        self._custom_imports()
        self._named_files()
        self.config.digests = {str(path): file_digest(path) for path in self.config.files if path.is_file()}

    def _read(self, path: Path, *, shipped: bool) -> tuple[dict[str, Any], dict[KeyPath, ConfigLine]]:
        """Return the merged values of a config, and where each key is given."""
        path = Path(os.path.normpath(path))
        self._count += 1
        if self._count > MOST_READ:
            self._problem(self.config.path, 1, f"builds on more than {MOST_READ} configs (_base_)")
            return {}, {}
        if path in self._open:
            self._problem(path, 1, "builds on itself (_base_)", shipped=shipped)
            return {}, {}
        if not shipped:
            self.config.files[path] = None
        self._open.append(path)
        try:
            return self._merged(path, shipped=shipped)
        except Unreadable as error:
            self._problem(path, error.line, str(error), shipped=shipped)
            return {}, {}
        finally:
            self._open.pop()

    def _merged(self, path: Path, *, shipped: bool) -> tuple[dict[str, Any], dict[KeyPath, ConfigLine]]:
        if path.suffix in DATA_FORMATS:
            python, text = None, read_data(path)
        elif path.suffix == ".py":
            python = PythonConfig(path)
            text = python.text
        else:
            raise Unreadable(f"is no config: mmengine reads .py, {', '.join(DATA_FORMATS)}")
        bases, lines = self._bases(text, shipped=shipped)
        text = python.evaluate(bases) if python else text
        self._outside(text, shipped=shipped)
        below: dict[str, Any] = {}
        for values in bases.values():
            below |= values
        own = {key: ConfigLine(path, number, shipped) for key, number in text.lines.items()}
        # a config that builds on others by import has taken over what it wants of them
        return (text.values if text.lazy else merged(text.values, below)), lines | own

    def _bases(self, text: ConfigText, *, shipped: bool) -> tuple[dict[str, dict[str, Any]], dict[KeyPath, ConfigLine]]:
        found: dict[str, dict[str, Any]] = {}
        lines: dict[KeyPath, ConfigLine] = {}
        for base in text.bases:
            try:
                where, in_package = self._locate(base.name, text, shipped=shipped)
            except Unreadable as error:
                self._problem(text.path, base.line, f"_base_ {base.name} {error}", shipped=shipped)
                continue
            found[base.name], its_lines = self._read(where, shipped=in_package)
            lines |= its_lines
        return found, lines

    def _locate(self, name: str, text: ConfigText, *, shipped: bool) -> tuple[Path, bool]:
        """Return the file of a base, and whether an installed package ships it; note those packages."""
        if "::" in name:
            path = _shipped_config(name)
            in_package, noted = True, name
        elif text.lazy:
            path, in_package = _imported_config(name, text.path.parent)
            noted = name.replace(".", "::", 1)
        else:
            path, in_package, noted = text.path.parent / name, shipped, name
        if not _is_file(path):
            raise Unreadable(f"is not there: no such file {path}")
        if in_package and not shipped:
            self.config.shipped[noted] = None
        return path, in_package or shipped

    def _outside(self, text: ConfigText, *, shipped: bool) -> None:
        """Record the files that a user's config reads beside its bases."""
        if shipped:
            return  # counts with the version of its package
        self.config.variables |= text.variables
        for problem in text.problems:
            self._problem(text.path, problem.line, problem.name)
        for read in text.reads:
            path = Path.cwd() / read.name
            if _is_file(path):
                self.config.files[path] = None
            else:
                self._problem(text.path, read.line, f"opens {read.name}, which is no file")
        absolute = [module for module in text.imports if not module.name.startswith(".")]  # others: see the build
        for module in absolute:
            missing = self._follow([module.name], ConfigLine(text.path, module.line, shipped=False))
            if missing and not module.optional:
                self._problem(text.path, module.line, f"imports {module.name}, {NOWHERE}")
            self.config.missing |= dict.fromkeys(missing)
        for member in text.members:
            self._follow([member.name], ConfigLine(text.path, member.line, shipped=False))

    def _custom_imports(self) -> None:
        asked = self.config.values.get("custom_imports")
        line = self.config.line_of("custom_imports")
        if not asked or line.shipped:
            return
        names = asked.get("imports") if isinstance(asked, dict) else None
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            self._note(line, "imports modules without naming them as plain text (custom_imports)")
            return
        missing = self._follow(names, line)
        if missing and asked.get("allow_failed_imports") is not True:
            self._note(line, f"imports {', '.join(missing)} (custom_imports), {NOWHERE}")
        self.config.missing |= dict.fromkeys(missing)

    def _follow(self, names: Sequence[str], line: ConfigLine) -> list[str]:
        """Add the files and packages that modules resolve to, and return the unresolved ones."""
        missing: list[str] = []
        try:
            missing = follow([name for name in names if not name.startswith(".")], self.config.imported)
        except (TooMany, Unreadable) as error:
            self._note(line, f"imports {', '.join(names)}: {error}")
        self.config.files |= self.config.imported.files
        return missing

    def _named_files(self) -> None:
        """Add files that the model names: the weights of a part, embeddings, lists of classes."""
        for name in _strings(self.config.values.get("model"), ()):
            path = Path.cwd() / name
            if _is_file(path):
                self.config.files[path] = None

    def _problem(self, path: Path, line: int, message: str, *, shipped: bool = False) -> None:
        self._note(ConfigLine(path, line, shipped), message)

    def _note(self, line: ConfigLine, message: str) -> None:
        self.config.problems[line, message[:LONGEST_MESSAGE]] = None


def _strings(value: Any, path: KeyPath) -> Iterator[str]:
    """Yield strings in a model's config that may be file names."""
    if path in NOT_LOADED:
        return
    if isinstance(value, str) and ("/" in value or "." in value) and len(value) < LONGEST_NAME and "\0" not in value:
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _strings(item, (*path, index))


def _shipped_config(name: str) -> Path:
    """Return the file of ``mmdet::path``; raise ``Unreadable`` where mmengine would find none."""
    package, _, inner = name.partition("::")
    if name.startswith(OWN):
        raise Unreadable("is a name that mmengine does not know: name the file itself")
    spec = locate(package) if package.isidentifier() else None
    if spec is None or spec.origin is None:
        raise Unreadable(f"is not there: package {package} is not installed")
    return Path(spec.origin).parent / ".mim" / "configs" / inner


def _imported_config(name: str, folder: Path) -> tuple[Path, bool]:
    """Return the file of a base that ``read_base`` imports, and whether an installed package holds it."""
    stem = name.lstrip(".")
    level = len(name) - len(stem)
    inner = stem.replace(".", "/") + ".py"
    if level:
        return folder.joinpath(*[".."] * (level - 1), inner), False
    spec = locate(name.partition(".")[0])
    root = _package_folder(spec)
    if root is None:
        raise Unreadable(f"is not there: package {name.partition('.')[0]} is not installed")
    return root / Path(*Path(inner).parts[1:]), "site-packages" in root.parts


def _package_folder(spec: ModuleSpec | None) -> Path | None:
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
