"""Read one mmengine config as text: its values, its bases, and the other files that it would read when run.

Runs nothing.
"""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainers.schema.config_names import is_python, spell_out
from trainers.schema.config_values import UNKNOWN, Unknown, dotted_name, is_environ, merged, value_of, variable_read
from trainers.schema.error_text import first_line
from trainers.schema.foreign_json import ForeignJsonError, parse_json
from trainers.schema.foreign_yaml import ForeignYamlError, parse_yaml
from trainers.schema.user_file import read_bytes

LARGEST = 1 << 20  # bytes of one config
BASE = "_base_"
VARIABLE = re.compile(r"\{\{['\"]?\s*\$(\w+)\s*:\s*(\S*?)\s*['\"]?\}\}")  # {{$NAME:default}}, as mmengine finds it
EXPANDED = re.compile(r"\$\{?(\w+)")  # as os.path.expandvars finds them
BASE_VALUE = re.compile(r"\{\{\s*_base_\.([\w.]+)\s*\}\}")
DATA_FORMATS = (".json", ".yaml", ".yml")
RUNS = ("exec", "eval", "__import__")
RUNNERS = ("subprocess.", "requests.", "urllib.", "runpy.", "os.system", "os.popen")
LISTS = ("glob", "iglob", "rglob", "listdir", "scandir", "iterdir", "walk")
OPENS = ("open", "load", "fromfile", "list_from_file", "dict_from_file", "loadtxt", "genfromtxt", "read_csv")
OPENS_ITSELF = ("open", "read_text", "read_bytes")  # methods of pathlib's paths
FROM_HANDLES = ("json.load", "yaml.load", "pickle.load", "toml.load", "tomllib.load", "ujson.load")
MODULES_WITH_OPEN = ("io", "codecs", "gzip", "bz2", "lzma", "os")

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mention:
    """Hold something that a config names, and in which line."""

    name: str
    line: int
    optional: bool = False


@dataclass(slots=True)
class ConfigText:
    """Hold one parsed config.

    ``bases`` are the values of ``_base_``, or the modules under ``read_base``; ``values`` are its own top-level values,
    to which those of its bases are still to be added, ``lines`` where keys are given. ``reads`` are files that it
    opens, ``imports`` modules, ``members`` names in modules that may be modules themselves; ``problems`` lists parts
    that its text does not determine. ``lazy`` is mmengine's word for configs that build on others by ``import``.
    """

    path: Path
    lazy: bool = False
    bases: list[Mention] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    imports: list[Mention] = field(default_factory=list)
    members: list[Mention] = field(default_factory=list)
    reads: list[Mention] = field(default_factory=list)
    variables: dict[str, str | None] = field(default_factory=dict)
    problems: list[Mention] = field(default_factory=list)


class Unreadable(ValueError):
    """Report that a config cannot be read as text; ``line`` is where."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def parse(path: Path, text: str) -> ast.Module:
    """Return the syntax tree of a Python file; raise ``Unreadable`` where there is none."""
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise Unreadable(f"{error.msg}", error.lineno or 1) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"is no Python: {error}") from error


def source_of(path: Path) -> str:
    """Return the text of a config or module; raise ``Unreadable`` when there is no such text."""
    try:
        return read_bytes(path, LARGEST).decode("utf-8")
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8 text") from error


def read_data(path: Path) -> ConfigText:
    """Read a config in JSON or YAML; its own values are whole, for nothing in it depends on a base."""
    found = ConfigText(path)
    text = BASE_VALUE.sub("null", _substituted(source_of(path), found))
    try:
        content = parse_json(text) if path.suffix == ".json" else parse_yaml(text)
    except ForeignJsonError as error:
        raise Unreadable(f"is no JSON: {first_line(error)}") from error
    except ForeignYamlError as error:
        raise Unreadable(str(error)) from error
    if not isinstance(content, dict):
        raise Unreadable("holds no keys")
    found.values = {str(key): value for key, value in content.items() if key != BASE}
    for number, line in enumerate(text.splitlines(), start=1):
        key = line.strip().split(":")[0].strip("\"'")
        if key in found.values and line[:1] not in " \t":
            found.lines.setdefault((key,), number)
    _add_bases(found, content.get(BASE, []), 1)
    return found


class PythonConfig:
    """Read a config in Python: first its bases, then, once they are read, its values."""

    def __init__(self, path: Path) -> None:
        self.text = ConfigText(path)
        source = source_of(path)
        self._tree = parse(path, source)
        self.text.lazy = _is_lazy(self._tree)
        if not self.text.lazy:
            self._tree = parse(path, _substituted(source, self.text))
        self._tree = spell_out(self._tree)
        self._scope: dict[str, Any] = {"__file__": str(path)}
        self._find_bases()

    def evaluate(self, bases: dict[str, dict[str, Any]]) -> ConfigText:
        """Fill in everything else; ``bases`` are the merged values of each base by its name in the text."""
        below: dict[str, Any] = {}
        for values in bases.values():
            below |= values
        if self.text.lazy:
            self._import_bases(bases)
        self._scope[BASE] = below
        for statement in self._tree.body:
            self._run(statement)
        self._find_outside()
        hidden = {BASE, "__file__", *self._imported()}
        own = {key: value for key, value in self._scope.items() if key not in hidden and not key.startswith("__")}
        self.text.values = own
        return self.text

    def _find_bases(self) -> None:
        if self.text.lazy:
            self.text.bases += [Mention(_module(node), node.lineno) for node in _base_imports(self._tree)]
            return
        for node in self._tree.body:
            if isinstance(node, ast.Assign) and _is_name(node.targets[0], BASE):
                _add_bases(self.text, value_of(node.value, self._scope), node.lineno)
                return

    def _import_bases(self, bases: dict[str, dict[str, Any]]) -> None:
        for node in _base_imports(self._tree):
            values = bases.get(_module(node), {})
            for alias in node.names:
                if alias.name == "*":
                    self._scope |= values
                elif alias.name in values:
                    self._scope[alias.asname or alias.name] = values[alias.name]

    def _run(self, node: ast.stmt) -> None:
        """Follow one statement; names whose values depend on the course of the program become unknown."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, node.value)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                _remove(self._scope, _path_of(target))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            self._update(node.value)
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) and node not in _base_blocks(self._tree):
            self._forget(node)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        path = _path_of(target)
        if not path:
            self._forget(target)
            return
        _put(self._scope, path, value_of(value, self._scope))
        self.text.lines |= dict(_lines(value, path, target.lineno))

    def _update(self, call: ast.Call) -> None:
        """Follow ``model.update(...)`` and ``model.merge(...)``; values changed by other methods become unknown."""
        function = call.func
        path = _path_of(function.value) if isinstance(function, ast.Attribute) else ()
        if not path or not isinstance(function, ast.Attribute) or path[0] not in self._scope:
            return
        before = value_of(function.value, self._scope)
        changes = value_of(ast.Call(ast.Name("dict"), call.args, call.keywords), {**self._scope, "dict": dict})
        if function.attr not in ("update", "merge") or not isinstance(before, dict) or not isinstance(changes, dict):
            _put(self._scope, path, UNKNOWN)
            return
        _put(self._scope, path, merged(changes, before))
        for given in (*call.args, *(keyword.value for keyword in call.keywords)):
            self.text.lines |= dict(_lines(given, path, call.lineno))

    def _forget(self, node: ast.AST) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef | ast.ClassDef):
                self._scope.pop(part.name, None)
            elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._scope[part.id] = UNKNOWN

    def _imported(self) -> set[str]:
        nodes = [node for node in ast.walk(self._tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        own = [node for node in nodes if node not in _base_imports(self._tree)]
        return {(alias.asname or alias.name).split(".")[0] for node in own for alias in node.names}

    def _find_outside(self) -> None:
        bases, guarded = _base_imports(self._tree), _guarded(self._tree)
        named = _renamed(self._tree)  # mentions of os.environ beside which stands which variable, or that read none
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and node not in bases:
                modules, members = imported_names(node)
                optional = self.text.lazy or node in guarded
                self.text.imports += [Mention(name, node.lineno, optional) for name in modules]
                self.text.members += [Mention(name, node.lineno) for name in members]
            elif (read := variable_read(node)) is not None:
                self._variable(value_of(read, self._scope), getattr(node, "lineno", 1))
                named += ast.iter_child_nodes(node)
                named += [part for child in ast.iter_child_nodes(node) for part in ast.iter_child_nodes(child)]
            elif isinstance(node, ast.Call):
                self._call(node)
            elif is_environ(node) and node not in named:
                self._variable(UNKNOWN, getattr(node, "lineno", 1))

    def _variable(self, name: Any, line: int) -> None:
        if isinstance(name, str):
            self.text.variables[name] = os.environ.get(name)
        else:
            self.text.problems.append(Mention("reads an environment variable whose name only running it tells", line))

    def _call(self, node: ast.Call) -> None:
        name = dotted_name(node.func)
        last = name.rpartition(".")[2]
        if last == "import_module" and isinstance(module := self._argument(node), str):
            self.text.imports.append(Mention(module, node.lineno))
        elif name in RUNS or last == "import_module" or name.startswith(RUNNERS):
            self._problem(node, "runs something that its text does not hold")
        elif last in LISTS:
            self._problem(node, "lists a folder")
        elif last == "expandvars":
            self._expand(node)
        elif isinstance(opened := self._opened(node, name, last), str):
            self.text.reads.append(Mention(opened, node.lineno))
        elif opened is not None:
            self._problem(node, "opens a file whose name only running it tells")

    def _expand(self, node: ast.Call) -> None:
        """Record the variables in ``os.path.expandvars("$NAME/...")``."""
        text = self._argument(node)
        names = EXPANDED.findall(text) if isinstance(text, str) else [UNKNOWN]
        for name in names:
            self._variable(name, node.lineno)

    def _opened(self, node: ast.Call, name: str, last: str) -> str | Unknown | None:
        """Return the file that a call opens, ``UNKNOWN`` when its name cannot be told, ``None`` when it opens none."""
        if name in FROM_HANDLES:
            return None
        method = isinstance(node.func, ast.Attribute) and name.partition(".")[0] not in MODULES_WITH_OPEN
        if last in OPENS_ITSELF and isinstance(node.func, ast.Attribute) and method:
            found = value_of(node.func.value, self._scope)
        elif last in OPENS:
            found = self._argument(node)
        else:
            return None
        return found if isinstance(found, str) else UNKNOWN

    def _argument(self, node: ast.Call) -> Any:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        return value_of(given[0], self._scope) if given else UNKNOWN

    def _problem(self, node: ast.Call, message: str) -> None:
        self.text.problems.append(Mention(f"{message} ({ast.unparse(node)[:60]})", node.lineno))


def imported_names(node: ast.Import | ast.ImportFrom) -> tuple[list[str], list[str]]:
    """Return the modules that an import statement loads, and names in them that may be modules, too.

    Relative names keep their dots.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names], []
    module = _module(node)
    dot = "" if module.endswith(".") else "."
    return [module], [f"{module}{dot}{alias.name}" for alias in node.names if alias.name != "*"]


def _substituted(text: str, found: ConfigText) -> str:
    """Return the text with mmengine's predefined and environment variables filled in; note the latter."""
    path = found.path
    names = {"fileDirname": str(path.parent), "fileBasename": path.name}
    names |= {"fileBasenameNoExtension": path.stem, "fileExtname": path.suffix}
    for name, value in names.items():
        text = re.sub(r"\{\{\s*" + name + r"\s*\}\}", lambda _, value=value: value, text)  # type: ignore[misc]  # mypy infers no type for the default
    return VARIABLE.sub(lambda match: _filled(match, found), text)


def _filled(match: re.Match[str], found: ConfigText) -> str:
    value = os.environ.get(match[1])
    found.variables[match[1]] = value
    if not (value or match[2]):
        line = match.string.count("\n", 0, match.start()) + 1
        found.problems.append(Mention(f"needs the environment variable {match[1]}, which is not set", line))
    return match[2] if value is None else value


def _add_bases(found: ConfigText, value: Any, line: int) -> None:
    names = list(value) if isinstance(value, list | tuple) else [value]
    for name in names:
        if isinstance(name, str):
            found.bases.append(Mention(name, line))
        else:
            found.problems.append(Mention("lists its base files other than as plain text (_base_)", line))


def _is_lazy(tree: ast.Module) -> bool:
    """Return whether mmengine reads this config by following its imports, by the rules of mmengine."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_name(node.targets[0], BASE):
            return False
        if isinstance(node, ast.With) or (isinstance(node, ast.ImportFrom) and node.level):
            return True
        if isinstance(node, ast.Import | ast.ImportFrom) and _leaves_python(node):
            return True
    return False


def _leaves_python(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "mmengine" and [a.name for a in node.names] == ["Config"]:
        return False
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return not all(is_python(name) or name.startswith("mmengine.config") for name in names)


def _base_blocks(tree: ast.Module) -> list[ast.stmt]:
    """Return the blocks whose imports are bases: ``with read_base():``."""
    return [node for node in tree.body if isinstance(node, ast.With)]


def _base_imports(tree: ast.Module) -> list[ast.ImportFrom]:
    blocks = _base_blocks(tree)
    return [node for block in blocks for node in ast.walk(block) if isinstance(node, ast.ImportFrom)]


def _renamed(tree: ast.Module) -> list[ast.AST]:
    """Return aliases that no other statement uses, since names are spelled out."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    given = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)]
    unused = [node for node in given if isinstance(node.targets[0], ast.Name) and node.targets[0].id not in used]
    return [part for node in unused for part in ast.walk(node.value)]


def _guarded(tree: ast.Module) -> list[ast.AST]:
    """Return the nodes under ``try``: an import there may fail."""
    return [part for node in ast.walk(tree) if isinstance(node, ast.Try) for part in ast.walk(node)]


def _module(node: ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "")


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _path_of(node: ast.expr) -> KeyPath:
    """Return the key path of ``model.head['channels']``; empty for any other expression."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        before = _path_of(node.value)
        return (*before, node.attr) if before else ()
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        before = _path_of(node.value)
        return (*before, node.slice.value) if before and isinstance(node.slice.value, str | int) else ()
    return ()


def _put(scope: dict[str, Any], path: KeyPath, value: Any) -> None:
    inside = _inside(scope, path[:-1])
    if isinstance(inside, dict):
        inside[path[-1]] = value


def _remove(scope: dict[str, Any], path: KeyPath) -> None:
    inside = _inside(scope, path[:-1])
    if path and isinstance(inside, dict):
        inside.pop(path[-1], None)


def _inside(scope: dict[str, Any], path: KeyPath) -> Any:
    inside: Any = scope
    for key in path:
        inside = inside.get(key) if isinstance(inside, dict) else None
    return inside


def _lines(node: ast.expr, path: KeyPath, line: int) -> Iterator[tuple[KeyPath, int]]:
    """Yield the line of a key and of those inside its value."""
    yield path, line
    if isinstance(node, ast.Call) and dotted_name(node.func) == "dict":
        for keyword in node.keywords:
            if keyword.arg:
                yield from _lines(keyword.value, (*path, keyword.arg), keyword.lineno)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield from _lines(value, (*path, key.value), key.lineno)
