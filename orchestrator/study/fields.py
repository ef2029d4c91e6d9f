"""Walk the study's schema by key path: which keys exist where, and which alternatives a value has."""

from collections.abc import Iterator, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import JsonValue

from orchestrator.study.location import KeyPath
from orchestrator.study.paths import value_at
from trainers.schema.base import Section, kind_of

Types = tuple[Any, ...]


def alternatives_of(annotation: Any) -> Types:
    """Return the types that a value may have, unions and ``Annotated`` taken apart, ``None`` left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return alternatives_of(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(item for part in get_args(annotation) for item in alternatives_of(part))
    return () if annotation is NoneType else (annotation,)


def step(types: Types, key: str | int) -> Types:
    """Return the types that the value under ``key`` may have, each once."""
    return tuple(dict.fromkeys(item for holder in types for item in alternatives_of(_child(holder, key))))


def of_kind(types: Types, kind: object) -> Types:
    """Return the sections with this ``kind``; all of ``types`` when none has it."""
    chosen = tuple(item for item in types if is_section(item) and kind_of(item) == kind)
    return chosen or types


def is_section(item: Any) -> bool:
    """Return whether a type is one of the study's sections."""
    return isinstance(item, type) and issubclass(item, Section)


def types_at(root: Any, path: KeyPath, data: JsonValue) -> Types:
    """Return the types that the value at ``path`` may have, given the kinds that ``data`` has chosen."""
    types = alternatives_of(root)
    for index in range(len(path) + 1):
        value = value_at(data, path[:index])
        if isinstance(value, dict):
            types = of_kind(types, value.get("kind"))
        if index < len(path):
            types = step(types, path[index])
    return types


def keys_at(root: Any, path: KeyPath, data: JsonValue) -> list[str]:
    """Return the keys that the mapping at ``path`` may have."""
    return [key for item in types_at(root, path, data) if is_section(item) for key in item.model_fields]


@cache
def known_keys(root: type[Section]) -> tuple[str, ...]:
    """Return every dotted key below ``root``, of all kinds, in schema order and each once."""
    return tuple(dict.fromkeys(_walk(alternatives_of(root), "")))


def _walk(types: Types, prefix: str) -> Iterator[str]:
    sections: Sequence[type[Section]] = [item for item in types if is_section(item)]
    for section in sections:
        for key, field in section.model_fields.items():
            yield prefix + key
            yield from _walk(alternatives_of(field.annotation), f"{prefix}{key}.")


def _child(holder: Any, key: str | int) -> Any:
    """Return the annotation of ``holder``'s value under ``key``; ``None`` when it cannot have one."""
    if is_section(holder):
        field = holder.model_fields.get(key)
        return NoneType if field is None else field.annotation
    arguments = get_args(holder)
    if get_origin(holder) is dict and isinstance(key, str):
        return arguments[1]
    if get_origin(holder) is tuple and isinstance(key, int):
        return arguments[0] if Ellipsis in arguments else arguments[min(key, len(arguments) - 1)]
    return NoneType
