"""Plant faults in the page's scripts: small changes of operators, constants and statements, found in the text."""

import ast
import re

from tests.mutants.faults import Change, Fault, named

NOT_CODE = re.compile(r"/\*.*?\*/|//[^\n]*|`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
KINDS = (
    ("boundary", r"(?<= )<(?= )", "<="),
    ("boundary", r"(?<= )<=(?= )", "<"),
    ("boundary", r"(?<= )>(?= )", ">="),
    ("boundary", r"(?<= )>=(?= )", ">"),
    ("comparison", r"===", "!=="),
    ("comparison", r"!==", "==="),
    ("and/or", r"&&", "||"),
    ("and/or", r"\|\|", "&&"),
    ("and/or", r"\?\?", "&&"),
    ("dropped not", r"(?<=[(\s])!(?=[\w(])", ""),
    ("arithmetic", r"(?<=[\w)\]] )\+(?= [\w(])", "-"),
    ("arithmetic", r"(?<=[\w)\]] )-(?= [\w(])", "+"),
    ("arithmetic", r"(?<=[\w)\]] )\*(?= [\w(])", "/"),
    ("arithmetic", r"(?<=[\w)\]] )/(?= [\w(])", "*"),
    ("wrong constant", r"\btrue\b", "false"),
    ("wrong constant", r"\bfalse\b", "true"),
    ("confused name", r"\bMath\.min\b", "Math.max"),
    ("confused name", r"\bMath\.max\b", "Math.min"),
    ("confused name", r"\.some\(", ".every("),
    ("confused name", r"\.every\(", ".some("),
    ("off by one", r"(?<![\w.])0(?![\w.])", "1"),
    ("off by one", r"(?<![\w.])1(?![\w.])", "2"),
    ("off by one", r"(?<![\w.])2(?![\w.])", "1"),
    ("forgotten call", r"\.reverse\(\)", ""),
    ("negated condition", r"(?<=\bif \()(?=[\w.]+\))", "!"),
    ("dropped statement", r"(?m)^[ ]+[\w.]+\([^;\n]*\);$", ""),
    ("dropped statement", r"(?m)^[ ]+[\w.]+(?:\[\w+\])? \+?= [^;\n]*;$", ""),
)
FUNCTION = re.compile(r"^(?:export )?(?:async )?function\*? (\w+)", re.MULTILINE)


def script_faults(file: str, text: str) -> list[Fault]:
    """Return all faults that can be planted in a script; strings and comments stay as they are."""
    masked = NOT_CODE.sub(lambda match: re.sub(r"[^\n]", '"', match[0]), text)
    changes = []
    for kind, pattern, new in KINDS:
        for match in re.finditer(pattern, masked):
            start, end = (len(text[:at].encode()) for at in match.span())
            line = text.count("\n", 0, match.start()) + 1
            changes.append((Change(kind, ast.Pass(), start, end, new), _function(masked, match.start()), line))
    return named(file, text, changes)


def _function(text: str, place: int) -> str:
    """Return the name of the function that a place is probably in: the last one that began at the margin."""
    names = [match[1] for match in FUNCTION.finditer(text, 0, place)]
    return names[-1] if names else ""
