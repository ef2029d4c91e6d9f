"""Write settings as dotted keys and texts, the form in which MLflow holds them and results are compared."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from orchestrator.study.conditional import ends_of


def flatten(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield dotted keys and texts of nested settings; lists and nothing stay JSON."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(f"{prefix}.{key}", inner)
    else:
        yield prefix, value if isinstance(value, str) else json.dumps(value)


def searched_settings(space: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings that a search varies, in the order of its space.

    A key whose values are whole sections stands for every setting that one of them names.
    """
    return tuple(dict.fromkeys(key for name, domain in space.items() for key in _named(name, domain)))


def _named(key: str, domain: Any) -> Iterable[str]:
    values = domain if isinstance(domain, list | tuple) else ()
    for value in values:
        if isinstance(value, Mapping):
            yield from (name for end in ends_of(dict(value)) for name, _ in flatten(key, end))
        else:
            yield key
    if not values:
        yield key
