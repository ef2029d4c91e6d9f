"""Choose the tests that can see a fault: those beside its file that run its line, nearest and quickest first."""

import ast
import difflib
import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.beside import beside, imported, module_of
from tests.mutants.faults import Fault

MOST_S = 25.0  # of tests for one fault
MOST_FILES = 12


@dataclass(frozen=True)
class Choice:
    """Hold the files and tests to run, and the seconds that they take without a fault."""

    files: list[str]
    tests: list[str]
    seconds: float

    def parts(self, count: int) -> list["Choice"]:
        """Return the choice of the first ``count`` files and that of the others, those without tests left out."""
        halves = (self.files[:count], self.files[count:])
        tests = [[test for test in self.tests if test.partition("::")[0] in files] for files in halves]
        return [Choice(files, found, self.seconds) for files, found in zip(halves, tests, strict=True) if found]


class Reach:
    """Hold which test runs which lines, as traced once; lines of sources that have changed since are moved along."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self._maps: dict[str, dict[str, Any]] = {}
        self._moved: dict[tuple[str, str], dict[int, int]] = {}

    def untraced(self, tests: Iterable[str]) -> list[str]:
        """Return the test files that have changed since they were traced, or never were."""
        return [test for test in tests if self._map(test) is None]

    def add(self, test: str, report: dict[str, Any]) -> None:
        """Keep a file's part of a report, with the sources as they are now."""
        own = {name: entry for name, entry in report["tests"].items() if name.partition("::")[0] == test}
        shared = report["shared"].get(test, {})
        files = {file for entry in own.values() for file in entry.get("lines", {})} | set(shared)
        sources = {file: self._keep(file) for file in sorted(files)}
        found = {"digest": _digest(self._root / test), "tests": own, "shared": shared, "sources": sources}
        self._path(test).parent.mkdir(parents=True, exist_ok=True)
        self._path(test).write_text(json.dumps(found))
        self._maps[test] = found

    def failing(self, tests: Iterable[str]) -> list[str]:
        """Return tests that do not pass without any fault: they can tell nothing about one."""
        return [name for test in tests for name, entry in self._entries(test).items() if not entry.get("passed", False)]

    def choose(self, fault: Fault) -> Choice:
        """Return the tests for a fault, at most ``MOST_S`` seconds of them; none where no test runs its line."""
        near = beside(fault.file, self._root)
        found = self._running(fault, near, set(range(fault.line, fault.last_line + 1)))
        found = found or self._running(fault, near, {fault.statement_line})
        found = found or self._running(fault, near, _uses(self._root / fault.file, fault.statement_line))
        found = found or self._of_module(fault, near)
        return _within(sorted(found))

    def _running(self, fault: Fault, near: dict[str, int], lines: set[int]) -> list[tuple[int, float, str]]:
        """Return distance, seconds and name of each test that runs one of the lines; those at import are run by all."""
        lines = {line for line in lines if _is_in_function(self._root / fault.file, line)}
        return [
            (distance, entry["seconds"], name)
            for test, distance in near.items()
            for name, entry in self._entries(test).items()
            if entry.get("passed") and lines & self._lines(test, fault.file, entry)
        ]

    def _of_module(self, fault: Fault, near: dict[str, int]) -> list[tuple[int, float, str]]:
        """Return the tests that run anything of the module, or whose file imports it, for a line that runs at import."""
        if _is_in_function(self._root / fault.file, fault.line):
            return []
        return [
            (distance, entry["seconds"], name)
            for test, distance in near.items()
            for name, entry in self._entries(test).items()
            if entry.get("passed")
            and (
                self._lines(test, fault.file, entry)
                or module_of(fault.file) in imported(self._root / test)
                or distance < 2
            )
        ]

    def _lines(self, test: str, file: str, entry: dict[str, Any]) -> set[int]:
        found = self._map(test) or {}
        then = {*entry["lines"].get(file, ()), *found["shared"].get(file, ())}
        moved = self._moves(file, found["sources"][file]) if then else {}
        return {moved[line] for line in then if line in moved}

    def _moves(self, file: str, digest: str) -> dict[int, int]:
        """Return where the lines of an earlier text of a file are now."""
        if (file, digest) not in self._moved:
            then = (self._folder / "texts" / digest).read_text(encoding="utf-8").splitlines()
            now = (self._root / file).read_text(encoding="utf-8").splitlines() if (self._root / file).exists() else []
            blocks = difflib.SequenceMatcher(None, then, now, autojunk=False).get_matching_blocks()
            self._moved[file, digest] = {
                block.a + step + 1: block.b + step + 1 for block in blocks for step in range(block.size)
            }
        return self._moved[file, digest]

    def _entries(self, test: str) -> dict[str, Any]:
        return (self._map(test) or {"tests": {}})["tests"]

    def _map(self, test: str) -> dict[str, Any] | None:
        if test not in self._maps and self._path(test).exists():
            self._maps[test] = json.loads(self._path(test).read_text())
        found = self._maps.get(test)
        return found if found and found["digest"] == _digest(self._root / test) else None

    def _keep(self, file: str) -> str:
        digest = _digest(self._root / file)
        path = self._folder / "texts" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((self._root / file).read_bytes())
        return digest

    def _path(self, test: str) -> Path:
        return self._folder / "map" / f"{test.replace('/', '+')}.json"


def _within(found: list[tuple[int, float, str]]) -> Choice:
    """Take tests until their time is up, then put those of one file together, nearest files first."""
    chosen: list[str] = []
    files: dict[str, None] = {}
    seconds = 0.0
    for _distance, takes, name in found:
        file = name.partition("::")[0]
        if (seconds + takes > MOST_S and chosen) or (file not in files and len(files) == MOST_FILES):
            continue
        chosen.append(name)
        files[file] = None
        seconds += takes
    order = {file: place for place, file in enumerate(files)}
    return Choice(list(files), sorted(chosen, key=lambda name: order[name.partition("::")[0]]), seconds)


def _uses(path: Path, line: int) -> set[int]:
    """Return the lines that use the names which a line of a module's top gives values to."""
    if path.suffix != ".py":
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    given = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno == line]
    names = {
        found.id
        for node in given
        for found in ast.walk(node)
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
    }
    return {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in names}


@functools.cache
def _is_in_function(path: Path, line: int) -> bool:
    if path.suffix != ".py":
        return True
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )
    return any(
        (node.body[0] if isinstance(node.body, list) else node.body).lineno <= line <= (node.end_lineno or 0)
        for node in functions
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""
