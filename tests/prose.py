"""Check the project's prose: no "what" or "whoever" as a relative pronoun. Run as ``python -m tests.prose``.

Such sentences make a reader resolve a riddle before the fact. A direct question may use the words. Docstrings may
contain a few, because a rewrite is sometimes worse; README, help and messages may contain none.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli import parser

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestrator", "trainers", "dashboards")
MOST_DOCSTRINGS = 0.01
RELATIVE = re.compile(r"\b(what|whatever|whoever|whomever)\b", re.IGNORECASE)
CODE = re.compile(r"^```.*?^```|``.*?``|`[^`\n]*`", re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r"[^.?!:]*[.?!:]?")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Text:
    """Hold one text and its place, ``file:line`` or a command."""

    place: str
    text: str


def is_hit(text: str) -> bool:
    """Return whether a sentence of ``text``, code left out, uses one of the words outside of a direct question."""
    if RELATIVE.search(text) is None:
        return False
    prose = CODE.sub(" ", text)
    return any(RELATIVE.search(part) and not part.endswith("?") for part in SENTENCE.findall(prose))


def docstrings(file: str, tree: ast.Module) -> Iterator[Text]:
    """Yield the docstrings of a module, its classes and its functions."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)) is not None:
            yield Text(f"{file}:{node.body[0].lineno}", text)


def messages(file: str, tree: ast.Module) -> Iterator[Text]:
    """Yield the literal texts of more than one word that are no docstrings; single words are keys."""
    known = {
        id(node.body[0].value)  # type: ignore[attr-defined]
        for node in ast.walk(tree)
        if isinstance(node, DOCUMENTED) and _documented(node)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in known
            and " " in node.value
        ):
            yield Text(f"{file}:{node.lineno}", node.value)


def _documented(node: DOCUMENTED) -> bool:
    return ast.get_docstring(node) is not None


def helps(top: argparse.ArgumentParser) -> Iterator[Text]:
    """Yield the description of each command and the help of each argument."""
    yield Text(top.prog, top.description or "")
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from helps(command)
        elif action.help:
            yield Text(f"{top.prog} {'/'.join(action.option_strings) or action.dest}", action.help)


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name and the syntax tree of each module."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def hits(texts: Iterable[Text]) -> list[Text]:
    """Return the texts with a relative pronoun of this kind."""
    return [one for one in texts if is_hit(one.text)]


def main() -> int:
    """Print the hits; return 1 when docstrings have too many, or README, help or messages have any."""
    trees = list(sources())
    documented = [one for file, tree in trees for one in docstrings(file, tree)]
    weak = hits(documented)
    readme = Text("README.md", (ROOT / "README.md").read_text(encoding="utf-8"))
    strict = hits([readme, *helps(parser()), *(one for file, tree in trees for one in messages(file, tree))])
    for one in [*strict, *weak]:
        print(f"{one.place}: {one.text.strip().splitlines()[0]}")
    print(f"{len(weak)} of {len(documented)} docstrings and {len(strict)} other texts use a relative what or whoever")
    return int(bool(strict) or len(weak) >= MOST_DOCSTRINGS * len(documented))


if __name__ == "__main__":
    sys.exit(main())
