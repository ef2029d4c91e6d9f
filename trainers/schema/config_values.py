"""Evaluate the expressions of an mmengine config without running it. Imports nothing heavy."""

import ast
import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

Scope = Mapping[str, Any]

READ_VARIABLES = ("getenv", "environ.get", "environ.pop", "environ.setdefault")


class Unknown:
    """Stand for a value that only running the config would tell."""

    def __repr__(self) -> str:
        return "?"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Unknown":
        return self


UNKNOWN: Final = Unknown()


def value_of(node: ast.expr, scope: Scope) -> Any:
    """Return the value of an expression; parts that cannot be told are ``UNKNOWN``. Nothing is called."""
    evaluate = EVALUATORS.get(type(node))
    return UNKNOWN if evaluate is None else evaluate(node, scope)


def dotted_name(node: ast.expr) -> str:
    """Return ``a.b.c`` for such an expression; of ``f(x).c`` the end, ``c``."""
    if isinstance(node, ast.Attribute):
        before = dotted_name(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def variable_read(node: ast.AST) -> ast.expr | None:
    """Return the expression that names the environment variable which ``node`` reads, ``None`` when it reads none."""
    if isinstance(node, ast.Subscript) and is_environ(node.value):
        return node.slice
    if isinstance(node, ast.Compare) and is_environ(node.comparators[0]):
        return node.left  # 'NAME' in os.environ
    if isinstance(node, ast.Call) and (given := _arguments(node)):
        return given[0] if any(_is(node.func, name) for name in READ_VARIABLES) else None
    return None


def is_environ(node: ast.AST) -> bool:
    """Return whether ``node`` is ``os.environ``."""
    return isinstance(node, ast.Attribute) and _is(node, "os.environ")


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def merged(top: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``top`` over it, dictionaries merged as mmengine merges them (``_delete_`` too)."""
    result = dict(base)
    for key, value in top.items():
        below = result.get(key)
        if not isinstance(value, dict):
            result[key] = value
        elif isinstance(below, dict) and not value.get("_delete_"):
            result[key] = merged(value, below)
        else:
            result[key] = {name: item for name, item in value.items() if name != "_delete_"}
    return result


def _is(node: ast.expr, name: str) -> bool:
    found = dotted_name(node)
    return found == name or found.endswith(f".{name}")


def _constant(node: ast.Constant, _: Scope) -> Any:
    return node.value


def _list(node: ast.List, scope: Scope) -> Any:
    return _items(node.elts, scope)


def _tuple(node: ast.Tuple, scope: Scope) -> Any:
    items = _items(node.elts, scope)
    return tuple(items) if isinstance(items, list) else items


def _items(nodes: list[ast.expr], scope: Scope) -> Any:
    items: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            more = value_of(node.value, scope)
            if not isinstance(more, list | tuple):
                return UNKNOWN
            items += more
        else:
            items.append(value_of(node, scope))
    return items


def _dict(node: ast.Dict, scope: Scope) -> Any:
    result: dict[Any, Any] = {}
    for key, item in zip(node.keys, node.values, strict=True):
        value = value_of(item, scope)
        if key is None:
            result |= value if isinstance(value, dict) else {}
        elif isinstance(name := value_of(key, scope), str | int):
            result[name] = value
    return result


def _keywords(node: ast.Call, scope: Scope) -> Any:
    result: dict[str, Any] = {}
    for first in node.args:
        value = value_of(first, scope)
        result |= value if isinstance(value, dict) else {}
    for keyword in node.keywords:
        value = value_of(keyword.value, scope)
        if keyword.arg is not None:
            result[keyword.arg] = value
        elif isinstance(value, dict):
            result |= value
    return result


def _name(node: ast.Name, scope: Scope) -> Any:
    return deepcopy(scope.get(node.id, UNKNOWN))


def _attribute(node: ast.Attribute, scope: Scope) -> Any:
    return _member(value_of(node.value, scope), node.attr)


def _subscript(node: ast.Subscript, scope: Scope) -> Any:
    if variable_read(node) is not None:
        return _environment(value_of(node.slice, scope), UNKNOWN)
    return _member(value_of(node.value, scope), value_of(node.slice, scope))


def _member(value: Any, key: Any) -> Any:
    if isinstance(value, dict) and isinstance(key, str | int):
        return value.get(key, UNKNOWN)
    if isinstance(value, list | tuple) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return UNKNOWN


def _environment(name: Any, default: Any) -> Any:
    return os.environ.get(name, default) if isinstance(name, str) else UNKNOWN


def _set(node: ast.Set, scope: Scope) -> Any:
    """Return the value of ``{{_base_.key}}``, which Python reads as a set in a set."""
    inner = node.elts[0]
    if len(node.elts) == 1 and isinstance(inner, ast.Set) and len(inner.elts) == 1:
        return value_of(inner.elts[0], scope)
    return UNKNOWN


def _unary(node: ast.UnaryOp, scope: Scope) -> Any:
    value = value_of(node.operand, scope)
    if isinstance(node.op, ast.Not) and not isinstance(value, Unknown):
        return not value
    return -value if isinstance(node.op, ast.USub) and isinstance(value, int | float) else UNKNOWN


def _binary(node: ast.BinOp, scope: Scope) -> Any:
    left, right = value_of(node.left, scope), value_of(node.right, scope)
    operation = NUMBERS.get(type(node.op))
    if isinstance(left, int | float) and isinstance(right, int | float) and operation:
        try:
            return operation(left, right)
        except (ArithmeticError, ValueError):
            return UNKNOWN
    return _joined(node.op, left, right)


def _joined(operation: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(operation, ast.Add) and type(left) is type(right) and type(left) in (str, list, tuple):
        return left + right
    if isinstance(operation, ast.Div) and isinstance(left, str) and isinstance(right, str):  # of pathlib's paths
        return str(Path(left) / right)
    return UNKNOWN


def _format(node: ast.JoinedStr, scope: Scope) -> Any:
    parts = [value_of(part.value if isinstance(part, ast.FormattedValue) else part, scope) for part in node.values]
    return "".join(map(str, parts)) if all(isinstance(part, str | int) for part in parts) else UNKNOWN


def _call(node: ast.Call, scope: Scope) -> Any:
    name = dotted_name(node.func)
    if name == "dict":
        return _keywords(node, scope)
    if variable_read(node) is not None:
        given = [value_of(argument, scope) for argument in _arguments(node)]
        return _environment(given[0], given[1] if len(given) > 1 else None)
    values = [value_of(argument, scope) for argument in node.args]
    for function, (kind, result) in FUNCTIONS.items():
        if (name == function or name.endswith(f".{function}")) and values and all(isinstance(v, kind) for v in values):
            return result(*values)
    return UNKNOWN


NUMBERS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
}
FUNCTIONS: dict[str, tuple[Any, Callable[..., Any]]] = {  # by name: of which arguments, and what it returns
    "path.join": (str, os.path.join),
    "osp.join": (str, os.path.join),
    "dirname": (str, os.path.dirname),
    "abspath": (str, os.path.abspath),
    "Path": (str, os.path.join),
    "str": (str, lambda text: text),
    "deepcopy": (object, lambda value: value),
    "list": ((list, tuple), list),
    "tuple": ((list, tuple), tuple),
}
EVALUATORS: dict[type[ast.expr], Callable[[Any, Scope], Any]] = {
    ast.Constant: _constant,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Dict: _dict,
    ast.Set: _set,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.JoinedStr: _format,
    ast.Call: _call,
}
