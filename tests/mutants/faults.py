"""Plant faults as developers make them: one small change of a module's text, found by its syntax tree.

A fault keeps all other bytes, so that a difference of two texts shows it alone. Left out are changes that no test should
notice (texts of messages, log calls, annotations, numbers that tune a module) and those that a type checker finds.
"""

import ast
import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
OPPOSITES = {"==": "!=", "!=": "==", "is": "is not", "is not": "is", "in": "not in", "not in": "in"}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//"}
PAIRS = ("min max", "any all", "floor ceil", "startswith endswith", "lstrip rstrip", "argmin argmax", "add discard")
CONFUSED = {name: other for pair in PAIRS for name, other in (pair.split(), reversed(pair.split()))}
FORGETTABLE = {"strip", "lower", "copy", "resolve", "detach", "clone", "contiguous", "casefold", "expanduser", "items"}
UNTOLD = {"encoding", "errors", "help", "description", "name", "daemon", "stacklevel", "metavar", "frozen", "slots"}
LOGS = re.compile(r"(_?log(ger|ging)?|_?LOG(GER)?|warnings)\b")
PATHS = re.compile(r"path|folder|director|root|store|name|['\"]", re.IGNORECASE)
SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Fault:
    """Hold a change of one file: the kind, the line, the enclosing definition, and the bytes that are replaced."""

    file: str
    kind: str
    line: int
    last_line: int
    statement_line: int
    scope: str
    start: int
    end: int
    new: str
    id: str

    def planted(self, text: str) -> str:
        """Return the text of the file with the fault."""
        data = text.encode()
        return (data[: self.start] + self.new.encode() + data[self.end :]).decode()

    def is_valid(self, text: str) -> bool:
        """Return whether the file with the fault is a Python module, and another one than without; scripts always are."""
        if not self.file.endswith(".py"):
            return True
        try:
            return ast.dump(ast.parse(self.planted(text))) != ast.dump(ast.parse(text))
        except SyntaxError:
            return False


@dataclass(frozen=True)
class Change:
    """Hold a replacement before it has a name: offsets in bytes and the node that it belongs to."""

    kind: str
    node: ast.AST
    start: int
    end: int
    new: str


def faults(file: str, text: str) -> list[Fault]:
    """Return all faults that can be planted in a Python module, in the order of its text; a few are not valid.

    The id holds as long as the change and the name of the enclosing definition do, wherever in the file they stand.
    """
    return named(file, text, [(change, *place) for change, place in Planter(text).changes()])


def named(file: str, text: str, changes: list[tuple[Change, str, int]]) -> list[Fault]:
    """Return the changes in the order of the text, with ids."""
    data, seen, found = text.encode(), {}, []
    for change, scope, statement_line in sorted(changes, key=lambda one: (one[0].start, one[0].end, one[0].new)):
        old = data[change.start : change.end].decode()
        key = (file, scope, change.kind, old, change.new)
        seen[key] = seen.get(key, -1) + 1
        name = hashlib.sha256("\0".join((*key, str(seen[key]))).encode()).hexdigest()[:8]
        line = data.count(b"\n", 0, change.start) + 1
        last = data.count(b"\n", 0, max(change.end - 1, change.start)) + 1
        found.append(
            Fault(file, change.kind, line, last, statement_line, scope, change.start, change.end, change.new, name)
        )
    return found


class Planter:
    """Walk through one module and collect its changes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._data = text.encode()
        self._tree = ast.parse(text)
        self._starts = [0]
        for line in self._data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._keys = sorted({str(key.value) for key in map(_key, ast.walk(self._tree)) if key is not None})

    def changes(self) -> Iterator[tuple[Change, tuple[str, int]]]:
        """Yield each change with its scope and the first line of its statement."""
        for node, scope, statement, in_function in _walk(self._tree, (), None, False):
            for change in self._of(node, in_function):
                yield change, (".".join(scope), getattr(statement, "lineno", 1))

    def _of(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        for kind in (self._compared, self._joined, self._called, self._constant, self._dropped, self._shaped):
            yield from kind(node, in_function)

    # -- kinds

    def _compared(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for left, right in itertools.pairwise(operands):
                yield from self._operator(node, left, right, BOUNDARIES, "boundary")
                yield from self._operator(node, left, right, OPPOSITES, "comparison")
        if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare):
            yield self._replaced("negated condition", node.test, f"not ({self._seen(node.test)})")

    def _joined(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        if isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from self._operator(node, left, right, {"and": "or", "or": "and"}, "and/or")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._replaced("dropped not", node, self._seen(node.operand))
        elif isinstance(node, ast.BinOp) and not _is_of_text(node):
            yield from self._operator(node, node.left, node.right, ARITHMETIC, "arithmetic")
            if isinstance(node.op, ast.Sub | ast.Div):
                yield from self._swapped("swapped operands", node.left, node.right)

    def _called(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        if isinstance(node, ast.Name) and node.id in CONFUSED:
            yield self._replaced("confused name", node, CONFUSED[node.id])
        if isinstance(node, ast.Attribute) and node.attr in CONFUSED:
            end = self._end(node)
            yield Change("confused name", node, end - len(node.attr), end, CONFUSED[node.attr])
        if not isinstance(node, ast.Call):
            return
        if len(node.args) > 1 and not any(isinstance(value, ast.Starred) for value in node.args[:2]):
            yield from self._swapped("swapped arguments", node.args[0], node.args[1])
        yield from self._forgotten(node)

    def _forgotten(self, node: ast.Call) -> Iterator[Change]:
        """Leave out a call around a value, or one of its options."""
        if isinstance(node.func, ast.Name) and node.func.id in ("sorted", "abs") and node.args:
            inner = self._seen(node.args[0])
            yield self._replaced("forgotten call", node, f"list({inner})" if node.func.id == "sorted" else inner)
        if isinstance(node.func, ast.Attribute) and node.func.attr in FORGETTABLE - {"items"} and not node.args:
            yield self._replaced("forgotten call", node, self._seen(node.func.value))
        for keyword in node.keywords:
            told = keyword.arg is not None and keyword.arg not in UNTOLD
            if told and isinstance(keyword.value, ast.Constant | ast.Lambda) and _is_foreign(node.func):
                yield from self._without(keyword, "forgotten option")

    def _constant(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        key = _key(node)
        if key is not None:
            others = [other for other in self._keys if other != key.value]
            other = _pick(others, str(key.value)) if others else f"{key.value!s}_"
            yield self._replaced("wrong key", key, repr(other).replace("'", '"'))
        if not isinstance(node, ast.Constant):
            return
        if isinstance(node.value, str) and "|" in node.value:
            yield from self._alternatives(node)
        elif isinstance(node.value, bool):
            yield self._replaced("wrong constant", node, str(not node.value))
        elif isinstance(node.value, int) and abs(node.value) < 100 and in_function:
            yield self._replaced("off by one", node, str(node.value + 1))
        elif isinstance(node.value, float) and in_function:
            yield self._replaced("wrong constant", node, str(node.value * 2 or 1.0))

    def _dropped(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
            yield self._replaced("dropped call", node, "pass")
        elif isinstance(node, ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete) or (
            isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
        ):
            yield self._replaced("dropped statement", node, "pass")
        elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
            yield from self._entries(node.type.elts, "uncaught error")
        elif isinstance(node, ast.List | ast.Set | ast.Tuple) and _are_constants(node.elts):
            yield from self._entries(node.elts, "missing entry")
        elif isinstance(node, ast.Dict) and None not in node.keys and len(node.keys) > 1:
            first = _pick(list(range(len(node.keys) - 1)), str(node.lineno))
            yield self._cut(node, node.keys[first], node.keys[first + 1], "missing entry")

    def _shaped(self, node: ast.AST, in_function: bool) -> Iterator[Change]:
        if isinstance(node, ast.IfExp):
            yield from self._swapped("swapped branches", node.body, node.orelse)
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield self._replaced("forgotten filter", test, "True")
        elif isinstance(node, ast.For):
            yield self._replaced("loop ends early", node.iter, f"list({self._seen(node.iter)})[:1]")
        elif in_function and isinstance(node, ast.Return) and _is_one_of_several_ends(node):
            yield self._replaced("returned nothing", node, "return None")

    def _alternatives(self, node: ast.Constant) -> Iterator[Change]:
        """Leave out one of the simple alternatives of a regular expression."""
        start = self._start(node)
        for match in re.finditer(r"\|[\w ?$]+(?=[|)\"'])", self._seen(node)):
            at = start + len(self._seen(node)[: match.start()].encode())
            yield Change("missing alternative", node, at, at + len(match[0].encode()), "")

    # -- text

    def _operator(
        self, node: ast.AST, left: ast.AST, right: ast.AST, table: dict[str, str], kind: str
    ) -> Iterator[Change]:
        """Replace the operator between two operands."""
        start, end = self._end(left), self._start(right)
        between = self._data[start:end].decode()
        match = re.search(r"is\s+not|not\s+in|[a-z]+|[<>=!+\-*/%]+", re.sub(r"#.*", "", between))
        if match and (new := table.get(" ".join(match[0].split()))):
            at = start + len(between[: match.start()].encode())
            yield Change(kind, node, at, at + len(match[0]), new)

    def _swapped(self, kind: str, one: ast.AST, other: ast.AST) -> Iterator[Change]:
        first, second = sorted((one, other), key=self._start)
        if ast.dump(first) != ast.dump(second):
            between = self._data[self._end(first) : self._start(second)].decode()
            new = f"{self._seen(second)}{between}{self._seen(first)}"
            yield Change(kind, first, self._start(first), self._end(second), new)

    def _entries(self, entries: list[ast.expr], kind: str) -> Iterator[Change]:
        """Leave out each entry of a row but the last; of two the second goes with its comma kept."""
        if len(entries) < 2:
            return
        for entry, following in itertools.pairwise(entries):
            yield self._cut(entry, entry, following, kind)
        last, before = entries[-1], entries[-2]
        yield Change(kind, last, self._end(before), self._end(last), "," if len(entries) == 2 else "")

    def _cut(self, node: ast.AST, first: ast.AST | None, following: ast.AST | None, kind: str) -> Change:
        assert first is not None
        assert following is not None
        return Change(kind, node, self._start(first), self._start(following), "")

    def _without(self, keyword: ast.keyword, kind: str) -> Iterator[Change]:
        """Leave out an option with the comma before it, or after it where it is the first."""
        start, end = self._start(keyword), self._end(keyword)
        before, after = re.search(rb",\s*\Z", self._data[:start]), re.match(rb",\s*", self._data[end:])
        if before:
            yield Change(kind, keyword, before.start(), end, "")
        else:
            yield Change(kind, keyword, start, end + (after.end() if after else 0), "")

    def _replaced(self, kind: str, node: ast.AST, new: str) -> Change:
        return Change(kind, node, self._start(node), self._end(node), new)

    def _seen(self, node: ast.AST) -> str:
        return self._data[self._start(node) : self._end(node)].decode()

    def _start(self, node: ast.AST) -> int:
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def _end(self, node: ast.AST) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]


def _walk(
    node: ast.AST, scope: tuple[str, ...], statement: ast.AST | None, in_function: bool
) -> Iterator[tuple[ast.AST, tuple[str, ...], ast.AST | None, bool]]:
    """Yield the nodes that may hold a fault, each with its scope, its statement, and whether it runs when called."""
    for child in ast.iter_child_nodes(node):
        if _is_left_out(node, child):
            continue
        now = child if isinstance(child, ast.stmt) else statement
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        names = (*scope, child.name) if isinstance(child, SCOPES) else scope
        if not isinstance(child, ast.expr_context | ast.operator | ast.cmpop | ast.boolop | ast.unaryop):
            yield child, names, now, inside
        yield from _walk(child, names, now, inside)


def _is_left_out(parent: ast.AST, child: ast.AST) -> bool:
    """Tell whether nothing below ``child`` is to be changed: types, docstrings, messages, logs, names of a module."""
    if isinstance(parent, SCOPES) and child in parent.decorator_list:
        return True
    if child in (getattr(parent, "annotation", None), getattr(parent, "returns", None)):
        return True
    if isinstance(parent, ast.Raise) or isinstance(child, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
        return LOGS.match(ast.unparse(child.value.func)) is not None
    if isinstance(child, ast.If):
        return ast.unparse(child.test) in ("TYPE_CHECKING", "__name__ == '__main__'")
    if isinstance(child, ast.Assign):
        return "__all__" in {getattr(target, "id", "") for target in child.targets} or _is_alias(child.value)
    return False


def _is_alias(value: ast.expr) -> bool:
    """Tell whether a value is a type: ``A | B`` or ``Callable[[int], str]``."""
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr) and ast.unparse(value.left)[:1].isupper()
    if not isinstance(value, ast.Subscript) or not isinstance(value.value, ast.Name):
        return False
    return value.value.id[0].isupper() or value.value.id in ("dict", "list", "tuple")


def _key(node: ast.AST) -> ast.Constant | None:
    """Return the literal that a node looks up or compares by."""
    found: ast.AST | None = None
    if isinstance(node, ast.Subscript):
        found = node.slice
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
        found = node.comparators[0]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        found = node.args[0] if node.func.attr in ("get", "pop", "setdefault") else None
    return found if isinstance(found, ast.Constant) and isinstance(found.value, str) and found.value else None


def _is_of_text(node: ast.BinOp) -> bool:
    """Tell whether an operation joins texts or a path: any other operator in its place is seen by a type checker."""
    ends = (node.left, node.right)
    return any(
        isinstance(end, ast.JoinedStr) or isinstance(getattr(end, "value", None), str | bytes) for end in ends
    ) or (isinstance(node.op, ast.Div) and PATHS.search(ast.unparse(node)) is not None)


def _are_constants(entries: list[ast.expr]) -> bool:
    return len(entries) > 1 and all(isinstance(entry, ast.Constant) for entry in entries)


def _is_foreign(function: ast.expr) -> bool:
    """Tell whether a call is probably of a library: a type checker knows the options of our own functions."""
    return isinstance(function, ast.Attribute) or (isinstance(function, ast.Name) and function.id.islower())


def _is_one_of_several_ends(node: ast.Return) -> bool:
    """Tell whether a value is returned from inside of a branch or a loop."""
    return isinstance(node.value, ast.Name | ast.Call) and node.col_offset > 8


def _pick(choices: list, by: str):
    """Return one of the choices, the same one for the same text."""
    return choices[int(hashlib.sha256(by.encode()).hexdigest(), 16) % len(choices)]
