"""Suggest the key, kind or value that a mistake in a study was probably meant to be."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from orchestrator.study.fields import Types, is_section, keys_at, known_keys, step, types_at
from orchestrator.study.foreign_words import Translation, example_of, in_kind, kind_meant, note, translation
from orchestrator.study.inherit import BASE
from orchestrator.study.location import KeyPath, dotted
from orchestrator.study.paths import value_at
from orchestrator.study.range_forms import KINDS, as_written
from orchestrator.study.scalars import plain
from orchestrator.study.wording import LONGEST_VALUE, alternatives, closest, did_you_mean
from trainers.schema.base import kind_of

TEACHER = "teacher"
PLAIN = re.compile(r"[A-Za-z0-9._/:${}-]{1,100}")  # a text that needs no quotes
INTERVAL = re.compile(r"([0-9]+) *(?:-|\.\.|to) *([0-9]+)")
# Where the words of a student and its schedule stand for a teacher.
OF_TEACHER = (("schedule.", "teacher.schedule."), ("student.", "teacher.detector."))


def hint_for_key(path: KeyPath, root: Any, data: JsonValue) -> str:
    """Point from an unknown key to the one that was probably meant; "" when nothing is known."""
    *parent, key = path
    found = _translated(path, root, data)
    if found is not None:
        return _translation_hint(found, tuple(parent), value_at(data, path))
    above = tuple(parent)
    close = _other_kind(above, key, root, data) or did_you_mean(key, _siblings(above, root, data))
    return close or _reason(str(key)) or _other_place(str(key), root)


def meant_key(path: KeyPath, root: Any, data: JsonValue) -> KeyPath | None:
    """Return the key of the same section that an unknown one is likely to be a misspelling of."""
    *parent, key = path or ("",)
    found = _translated(path, root, data) if path else None
    if found is not None:
        return tuple(found.key.split("."))
    close = closest(key, keys_at(root, tuple(parent), data))
    return (*parent, close) if close else None


def hint_for_value(path: KeyPath, root: Any, data: JsonValue) -> str:
    """Show how to write a value of the wrong type: ``: write {kind: adamw}``; "" when nothing is known."""
    value = value_at(data, path)
    written = _as_section(value, _sections(types_at(root, path, data))) or _as_list(value, path, root, data)
    if written:
        return f": write {written}"
    known = example_of(dotted(path))
    if known is None or known.is_number:
        return f": write {value} without quotes" if isinstance(value, str) and _is_number(value) else ""
    return f": write {in_kind(known, value_at(data, (*path[:-1], 'kind'))).value(value)}"


def hint_for_kind(kind: object, kinds: Sequence[str]) -> str:
    """Return `` (did you mean x?)`` for the kind that was probably meant."""
    meant = kind_meant(kind, kinds) if isinstance(kind, str) else None
    return f" (did you mean {meant}?)" if meant else did_you_mean(kind, kinds)


def place_of(word: str, root: Any) -> str | None:
    """Return the dotted key of this name in the study, nearest to the top."""
    known = known_keys(root) if is_section(root) else ()
    places = [name for name in known if name.endswith(f".{word}")]
    return min(places, key=lambda name: name.count(".")) if places else None


def _siblings(parent: KeyPath, root: Any, data: JsonValue) -> list[str]:
    value = value_at(data, parent)
    kinds = [KINDS[name] for name in value if name in KINDS] if isinstance(value, dict) else []
    if parent[:2] == ("search", "space") and kinds:  # a range, maybe inside of a listed mapping
        return list(kinds[0].model_fields)
    return keys_at(root, parent, data) + ([BASE] if not parent else [])


def _translated(path: KeyPath, root: Any, data: JsonValue) -> Translation | None:
    """Return the key that another tool's word stands for, unless a key beside it is spelt much alike.

    Then the value decides: ``names: [cat, dog]`` are classes, ``names: demo`` is a misspelt ``name``.
    """
    *parent, key = path
    found = _in_place(tuple(parent), str(key), root)
    if found is None or found.key == dotted(path):
        return None
    if dotted(tuple(parent)).startswith(found.key) and _other_kind(tuple(parent), key, root, data):
        return None  # a right word in a section of the wrong kind
    found = in_kind(found, value_at(data, (*found.key.split(".")[:-1], "kind")))
    close = closest(key, _siblings(tuple(parent), root, data))
    spelt_alike = close is not None and dotted((*parent, close)) != found.key
    return None if spelt_alike and not _looks_like(value_at(data, path), found.example) else found


def _in_place(parent: KeyPath, key: str, root: Any) -> Translation | None:
    """Return the translation of a word in a section, for a teacher's sections the teacher's own key."""
    known = known_keys(root) if is_section(root) else ()
    below_teacher = parent[:1] == (TEACHER,)
    found = (translation(f"{TEACHER}_{key}") if below_teacher else None) or translation(key)
    if found is None:
        return None
    if below_teacher:
        for mine, theirs in OF_TEACHER:
            if found.key.startswith(mine):
                found = found._replace(key=found.key.replace(mine, theirs, 1))
    return found if found.key in (*known, BASE) and known else None


def _looks_like(value: JsonValue, example: str) -> bool:
    """Return whether a value has the shape of an example: a list, a mapping, or neither."""
    shapes = {"[": list, "{": dict}
    wanted = shapes.get(example[:1])
    return isinstance(value, wanted) if wanted else not isinstance(value, list | dict)


def _translation_hint(found: Translation, parent: KeyPath, value: JsonValue) -> str:
    """Name the key, and write it: from the top of the study, or within the section where it is the right one."""
    above = f"{dotted(parent)}." if parent else ""
    if above and found.key.startswith(above):
        found = found._replace(key=found.key.removeprefix(above))
    return f" (did you mean {found.key}? write {found.yaml(value)})"


def _other_kind(parent: KeyPath, key: str | int, root: Any, data: JsonValue) -> str:
    """Return the other kind of the same section, or of the one around it, that has the key."""
    above = (parent[:length] for length in range(len(parent), -1, -1))
    owner = next((place for place in above if isinstance(value_at(data, (*place, "kind")), str)), None)
    if owner is None:
        return ""
    inner = [name for name in parent[len(owner) :] if isinstance(name, str)]
    kinds = [kind_of(item) or "" for item in _sections(types_at(root, owner, None)) if _has(item, inner, key)]
    return f" of kind {value_at(data, (*owner, 'kind'))}; kind {alternatives(kinds)} has it" if kinds else ""


def _has(section: Any, inner: Sequence[str], key: str | int) -> bool:
    """Return whether a section, or the items of a list that it holds at the keys ``inner``, have a key."""
    types: Types = (section,)
    for name in inner:
        found = step(types, name)
        types = (*found, *step(found, 0))
    return any(key in item.model_fields for item in _sections(types))


def _sections(types: Types) -> list[Any]:
    return [item for item in types if is_section(item)]


def _reason(key: str) -> str:
    """Return why a study has no such key."""
    reason = note(key)
    return f" ({reason})" if reason else ""


def _other_place(key: str, root: Any) -> str:
    place = place_of(key, root)
    return f" (did you mean {place}?)" if place else ""


def _is_number(text: str) -> bool:
    try:
        return isinstance(plain(text), int | float)
    except ValueError:
        return False


def _as_list(value: JsonValue, path: KeyPath, root: Any, data: JsonValue) -> str | None:
    """Return a mapping as the only item of the list that it was probably meant to be in."""
    items = _sections(step(types_at(root, path, data), 0))
    if not isinstance(value, dict) or not any(_may_be(item, value) for item in items):
        return None
    written = f"[{as_written(value)}]"
    return written if len(written) <= LONGEST_VALUE else None


def _may_be(section: Any, value: dict[str, JsonValue]) -> bool:
    """Return whether a mapping has the keys that a section needs, and no others than the section's."""
    fields: dict[str, Any] = section.model_fields
    needed = {key for key, field in fields.items() if field.is_required()}
    return needed <= value.keys() <= fields.keys()


def _as_section(text: JsonValue, sections: Sequence[Any]) -> str | None:
    """Return the section that a bare text was probably meant to be."""
    if not isinstance(text, str) or not sections:
        return None
    kinds = [kind for kind in map(kind_of, sections) if kind]
    meant = text if text in kinds else kind_meant(text, kinds) or closest(text, kinds)
    if kinds:
        return f"{{kind: {meant}}}" if meant else None
    fields = sections[0].model_fields
    ends = INTERVAL.fullmatch(text) if {"min", "max"} <= fields.keys() else None
    if ends:
        return f"{{min: {ends[1]}, max: {ends[2]}}}"
    required = [key for key, field in fields.items() if field.is_required()]
    if any(fields[key].annotation in (int, float) for key in required):
        return None  # no text makes it
    return f"{{{required[0]}: {text}}}" if len(required) == 1 and PLAIN.fullmatch(text) else None
