"""Name the fault in the form of a searched key's values, once, and a form that would do."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.study.ranges import RANGES, Range
from orchestrator.study.wording import closest, describe, enumeration, inline

FORMS = (
    "write a list ([0.5, 1.0]), a range ({uniform: [0.0, 2.0]}, {loguniform: [0.01, 1.0]}) "
    "or integers ({int: [1, 8]}, {logint: [1, 64]})"
)
KINDS: Mapping[str, type[Range]] = {kind.key(): kind for kind in RANGES}
EXAMPLES = {"uniform": (0.0, 2.0), "loguniform": (0.01, 1.0), "int": (1, 8), "logint": (1, 64)}
ENDS = (("low", "high"), ("min", "max"), ("lower", "upper"), ("start", "stop"), ("begin", "end"), ("from", "to"))
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
        return f"{kind} needs two {numbers}, [low, high], got {_shown(ends)}: write {_proposal(kind, ends)}"
    if "step" in value and "step" not in KINDS[kind].model_fields:
        return f"{kind} takes no step: leave it out, or take uniform or int"
    return None


def _fault_without_kind(value: Mapping[str, Any]) -> str | None:
    listed = next((value[key] for key in LISTS if isinstance(value.get(key), list)), None)
    if listed is not None:
        return f"is no range: write its values as a list, {inline(listed)}"
    ends = next(([value[low], value[high]] for low, high in ENDS if low in value and high in value), None)
    if ends is not None:
        return f"is no range: write {_proposals(value, ends)}"
    if any(mistyped(key) for key in value):
        return None  # the key is told, with the one that was meant
    return f"is neither a list nor a range: {FORMS}"


def mistyped(word: object) -> str | None:
    """Return the kind of range that a key was probably meant to be."""
    return closest(word, list(KINDS), cutoff=0.5) if len(str(word)) > len("min") else None


def _proposals(value: Mapping[str, Any], ends: Sequence[Any]) -> str:
    """Return what a range of another tool is here; of whole numbers nobody knows whether integers are meant."""
    is_logarithmic = value.get("log") is True or "log" in str(value.get("kind") or value.get("distribution") or "")
    numbers, integers = ("loguniform", "logint") if is_logarithmic else ("uniform", "int")
    if not _are_ends(ends, whole=True):
        return _proposal(numbers, ends)
    return f"{_proposal(numbers, ends)}, or {_proposal(integers, ends)} for integers"


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


def _proposal(kind: str, ends: Any) -> str:
    """Return a range of this kind, with the given ends where they can be read as such."""
    if isinstance(ends, dict):
        ends = next(([ends[low], ends[high]] for low, high in ENDS if low in ends and high in ends), None)
    found = list(map(_as_number, ends)) if isinstance(ends, list | tuple) and len(ends) == 2 else []
    if KINDS[kind].whole and all(isinstance(end, float) and end.is_integer() for end in found):
        found = [int(end) for end in found if end is not None]
    if (
        KINDS[kind].whole
        and found
        and all(isinstance(end, int | float) for end in found)
        and not _are_ends(found, whole=True)
    ):
        return f"{{uniform: {inline(found)}}}"
    return f"{{{kind}: {inline(found if _are_ends(found, whole=KINDS[kind].whole) else EXAMPLES[kind])}}}"


def _as_number(value: Any) -> int | float | None:
    """Return a number, also one in quotes."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(value) if "." in str(value) or "e" in str(value) else int(value)
    except (TypeError, ValueError):
        return None
