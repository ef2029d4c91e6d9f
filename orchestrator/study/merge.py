"""Merge one piece of plain data over another, for ``base:`` and for searched mappings."""

from pydantic import JsonValue


def merge(base: JsonValue, over: JsonValue) -> JsonValue:
    """Return ``base`` with ``over`` on top: mappings merge key by key, everything else is replaced.

    A mapping that names another ``kind`` than the base's replaces it whole, since the other kind has other keys.
    """
    if not (isinstance(base, dict) and isinstance(over, dict)) or _differs_in_kind(base, over):
        return over
    merged = {key: merge(base[key], value) if key in base else value for key, value in over.items()}
    return {**base, **merged}


def _differs_in_kind(base: dict[str, JsonValue], over: dict[str, JsonValue]) -> bool:
    return "kind" in base and "kind" in over and base["kind"] != over["kind"]
