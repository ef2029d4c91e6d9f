"""Name the fault in the form of a searched key's values, once, and a form that would do."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from orchestrator.study.ranges import RANGES, Range
from orchestrator.study.scalars import plain
from orchestrator.study.wording import LONGEST_VALUE, closest, describe, enumeration, inline

FORMS = (
    "write a list ([0.5, 1.0]), a range ({uniform: [0.0, 2.0]}, {loguniform: [0.01, 1.0]}) "
    "or integers ({int: [1, 8]}, {logint: [1, 64]})"
)
KINDS: Mapping[str, type[Range]] = {kind.key(): kind for kind in RANGES}
EXAMPLES = {"uniform": (0.0, 2.0), "loguniform": (0.01, 1.0), "int": (1, 8), "logint": (1, 64)}
ENDS = (("low", "high"), ("min", "max"), ("lower", "upper"), ("start", "stop"), ("begin", "end"), ("from", "to"))
BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")  # a text that YAML reads as itself without quotes, if no constant
LISTS = ("values", "choice", "choices", "categorical", "grid", "grid_search", "options")


def fault_of(value: Any) -> str | None:
    """Return why a value is neither a list nor a range, ``None`` where its form is right or one key of it is mistyped."""
    if isinstance(value, list | tuple | Range):
        return None
    if not isinstance(value, dict):
        return f"is neither a list nor a range, got {describe(value)}: {FORMS}"
    kinds = [key for key in KINDS if key in value]
    if len(kinds) > 1:
        return f"has {enumeration(kinds)}, and a range has one of them"
    return _fault_of_range(value, kinds[0]) if kinds else _fault_without_kind(value)


def _fault_of_range(value: Mapping[str, Any], kind: str) -> str | None:
    ends = value[kind]
    missing = isinstance(ends, list | tuple) and len(ends) == 2 and None in ends  # is told where it stands
    if not missing and not _are_ends(ends, whole=KINDS[kind].whole):
        numbers = "integers" if KINDS[kind].whole else "numbers"
        return f"{kind} needs two {numbers}, [low, high], got {_shown(ends)}: {_remedy(kind, ends)}"
    if "step" in value and "step" not in KINDS[kind].model_fields:
        return f"{kind} takes no step: leave it out, or take uniform or int"
    return None


def _fault_without_kind(value: Mapping[str, Any]) -> str | None:
    listed = next((value[key] for key in LISTS if isinstance(value.get(key), list) and value[key]), None)
    if listed is not None:
        written = as_written(listed)
        return f"is no range: write its values as a list{f', {written}' if len(written) <= LONGEST_VALUE else ''}"
    ends = next(([value[low], value[high]] for low, high in ENDS if low in value and high in value), None)
    if ends is not None:
        return f"is no range: {_remedies(value, ends)}"
    if any(mistyped(key) for key in value):
        return None  # the key is told, with the one that was meant
    return f"is neither a list nor a range: {FORMS}"


def mistyped(word: object) -> str | None:
    """Return the kind of range that a key was probably meant to be."""
    return closest(word, list(KINDS), cutoff=0.5) if len(str(word)) > len("min") else None


def _remedies(value: Mapping[str, Any], ends: Sequence[Any]) -> str:
    """Return what a range of another tool is here; of whole numbers nobody knows whether integers are meant."""
    is_logarithmic = value.get("log") is True or "log" in str(value.get("kind") or value.get("distribution") or "")
    numbers, integers = ("loguniform", "logint") if is_logarithmic else ("uniform", "int")
    whole = _proposal(integers, ends) if _are_ends(ends, whole=True) else None
    return f"{_remedy(numbers, ends)}{f', or {whole} for integers' if whole else ''}"


def _are_ends(ends: Any, *, whole: bool) -> bool:
    kind = int if whole else int | float
    return (
        isinstance(ends, list | tuple)
        and len(ends) == 2
        and all(isinstance(end, kind) and not isinstance(end, bool) for end in ends)
    )


def _shown(ends: Any) -> str:
    if isinstance(ends, list | tuple) and any(isinstance(end, str) for end in ends):
        return f"[{', '.join(map(describe, ends))}]"
    return inline(ends) if isinstance(ends, list | tuple | dict) else describe(ends)


def _remedy(kind: str, ends: Any) -> str:
    """Return the advice: the given ends as a range, or else the form of one."""
    proposal = _proposal(kind, ends) or (_proposal("uniform", ends) if _are_ends(_numbers(ends), whole=False) else None)
    return f"write {proposal}" if proposal else f"as in {{{kind}: {inline(EXAMPLES[kind])}}}"


def _proposal(kind: str, ends: Any) -> str | None:
    """Return a range of this kind with the given ends, in their order; ``None`` where there is none."""
    found = _numbers(ends)
    if KINDS[kind].whole:
        found = [int(end) if isinstance(end, float) and end.is_integer() else end for end in found]
    if not _are_ends(found, whole=KINDS[kind].whole):
        return None
    found.sort(key=float)
    try:
        KINDS[kind].model_validate({kind: tuple(found)})
    except ValidationError:
        return None
    written = f"{{{kind}: {as_written(found)}}}"
    return written if len(written) <= LONGEST_VALUE else None


def _numbers(ends: Any) -> list[Any]:
    """Return two ends as numbers, ``None`` for one that is none; an empty list for anything but two."""
    if isinstance(ends, dict):
        ends = next(([ends[low], ends[high]] for low, high in ENDS if low in ends and high in ends), None)
    return list(map(_as_number, ends)) if isinstance(ends, list | tuple) and len(ends) == 2 else []


def _as_number(value: Any) -> int | float | None:
    """Return a number that a range can have as its end, also one in quotes."""
    try:
        found = plain(value.strip()) if isinstance(value, str) else value
        if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
            return found
    except (ValueError, OverflowError):
        pass
    return None


def as_written(value: Any) -> str:
    """Return a value as YAML on one line that is read as this value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_written(key)}: {as_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_written, value)) + "]"
    if isinstance(value, str):
        return value if BARE.fullmatch(value) and plain(value) == value else json.dumps(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
