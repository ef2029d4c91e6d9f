"""Write a point of the search space on one line, as people read it in tables, plans and run names."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from orchestrator.study.wording import inline

OWN_SECTION, TEACHER = "method.", "teacher"


def row_name(role: str, method: str, params: Mapping[str, JsonValue]) -> str:
    """Return the name of a trial's row: ``teacher`` or the method, and the searched values."""
    if role == TEACHER:
        return f"teacher {point_text(params).replace(f'{TEACHER}.', '')}".strip()
    return f"{method} {point_text(params)}".strip()


def point_text(params: Mapping[str, JsonValue]) -> str:
    """Return the searched values, ``alpha1=0.5 schedule.lr=0.01``; the method's kind, which names the row, is left out."""
    return " ".join(f"{key}={inline(_short(key, value))}" for key, value in _leaves(params) if key != "kind")


def _short(key: str, value: JsonValue) -> JsonValue:
    """Return a teacher's file by the end of its path, which is the same on every machine."""
    if key == "teacher.path" and isinstance(value, str):
        return "/".join(value.split("/")[-2:])
    return value


def _leaves(params: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Yield dotted keys without the method's own name, mappings taken apart."""
    for key, value in params.items():
        if isinstance(value, dict):
            yield from _leaves({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            yield key.removeprefix(OWN_SECTION), value
