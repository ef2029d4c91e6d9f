"""Spell out the names that a config gives to Python's own modules and their members. Imports nothing heavy."""

import ast
import sys
from collections import Counter

from trainers.schema.config_values import dotted_name


def is_python(name: str) -> bool:
    """Return whether a module is one of Python's own."""
    return name.partition(".")[0] in sys.stdlib_module_names


def spell_out(tree: ast.Module) -> ast.Module:
    """Return the tree with ``g(...)`` as ``os.getenv(...)`` after ``from os import getenv as g``.

    A search for calls that read files and variables then finds them under any alias.
    """
    names = _given_names(tree)
    spelled: ast.Module = _Speller(names).visit(tree) if names else tree
    return spelled


class _Speller(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        full = self._names.get(node.id) if isinstance(node.ctx, ast.Load) else None
        if full is None:
            return node
        spelled = ast.parse(full, mode="eval").body
        for part in ast.walk(spelled):
            ast.copy_location(part, node)
        return spelled


def _given_names(tree: ast.Module) -> dict[str, str]:
    """Return the config's own names and their meanings; a name that is given twice stands for nothing."""
    stored = Counter(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {name: full for name, full in _imported(node).items() if not stored[name]}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name) and stored[target.id] == 1:
            full = _in_full(node.value, names)
            if full:
                names[target.id] = full
    return {name: full for name, full in names.items() if name != full}


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name: alias.name for alias in node.names if is_python(alias.name)}
    if node.level or not is_python(node.module or ""):
        return {}
    return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"}


def _in_full(value: ast.expr, names: dict[str, str]) -> str:
    """Return the full name of something in one of Python's modules, an empty one for everything else."""
    first, dot, rest = dotted_name(value).partition(".") if _is_chain(value) else ("", "", "")
    return f"{names[first]}{dot}{rest}" if first in names else ""


def _is_chain(value: ast.expr) -> bool:
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name)
