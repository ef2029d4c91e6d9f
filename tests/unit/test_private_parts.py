"""Hold the private parts of other packages in the compat folders, where tests/contract/test_compat_*.py watch them."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = {"Image.MAX_IMAGE_PIXELS"}  # variables that a package's documentation tells its users to set
OWN = ("orchestrator", "trainers", "dashboards")
PRIVATE = re.compile(r"_[^_]\w*")
DOCUMENTED = {"_asdict", "_exit", "_fields", "_make", "_replace"}  # of namedtuple and os, in spite of the underscore
ACCESS = {"getattr", "setattr", "hasattr", "delattr"}


def private_parts(text: str) -> list[int]:
    """Return the lines of a module that name a private part of a package that is not ours, or change such a package."""
    return sorted(set(_lines(ast.parse(text))))


def _lines(tree: ast.Module) -> Iterator[int]:
    foreign, ours = set(_imported(tree)), _defined(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        changed = any(_changes(target, foreign) for target in _targets(node))
        if changed or _is_private_import(node) or _is_private_access(node, ours):
            yield node.lineno


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names under which a module knows parts of installed packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.asname or name.name.partition(".")[0] for name in node.names if _is_installed(name.name))
        elif isinstance(node, ast.ImportFrom) and _is_installed(node.module or ""):
            yield from (name.asname or name.name for name in node.names)


def _is_foreign(module: str) -> bool:
    return module.partition(".")[0] not in OWN


def _is_installed(module: str) -> bool:
    return _is_foreign(module) and module.partition(".")[0] not in sys.stdlib_module_names


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that the module itself defines: functions, methods, variables and attributes of ``self``."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node.value):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def _is_private_import(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        names = [name.name for name in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{name.name}" for name in node.names]
    else:
        return False
    return any(_is_foreign(name) and any(map(PRIVATE.fullmatch, name.split("."))) for name in names)


def _is_private_access(node: ast.AST, ours: set[str]) -> bool:
    if isinstance(node, ast.Attribute):
        name, is_own = node.attr, _is_self(node.value) or node.attr in ours - _overriding(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ACCESS:
        name = str(getattr(node.args[1], "value", "")) if len(node.args) > 1 else ""
        is_own = name in ours
    else:
        return False
    return PRIVATE.fullmatch(name) is not None and name not in DOCUMENTED and not is_own


def _overriding(node: ast.Attribute) -> set[str]:
    """Return the name where it is asked of ``super()``: it is the base class's, even where the module defines one, too."""
    return {node.attr} if ast.unparse(node.value) == "super()" else set()


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign | ast.Delete):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []


def _changes(target: ast.expr, foreign: set[str]) -> bool:
    """Tell whether an assignment changes an imported module or class itself, or the table of modules."""
    if isinstance(target, ast.Subscript):
        return ast.unparse(target.value) == "sys.modules"
    if ast.unparse(target) in SETTINGS:
        return False
    return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in foreign


def modules() -> list[Path]:
    found = [path for package in OWN for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if path.relative_to(ROOT).parts[1] != "compat"]


def test_private_parts_of_others_are_used_in_compat_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules()
        for line in private_parts(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import ray._private.worker",
        "from ray.train.v2._internal.execution import callback",
        "from mlflow.store.db.utils import _get_alembic_config",
        "client._tracking_client.store",
        "torch._foreach_mul_(a, 2)",
        "getattr(scheduler, '_trial_info', {})",
        "class A(Formatter):\n    def _format(self):\n        return super()._format()",
        "from mmdet.utils import dist_utils\ndist_utils.dist = None",
        "import sys\nsys.modules['sklearn'] = None",
        "import sys\ndel sys.modules['sklearn']",
    ],
)
def test_a_private_part_is_found(line: str) -> None:
    assert private_parts(line)


@pytest.mark.parametrize(
    "line",
    [
        "import __future__",
        "from orchestrator.tracking.database_schema import _revisions",
        "import os\nos._exit(1)",
        "row._replace(n=1)",
        "class A:\n    def __init__(self, other):\n        self._lines = other._lines",
        "super().__init__()",
        "import tempfile\ntempfile.tempdir = None",
        "import torch\ntorch.backends.cudnn.benchmark = True",
    ],
)
def test_own_and_documented_names_are_not(line: str) -> None:
    assert private_parts(line) == []
