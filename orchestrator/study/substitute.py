"""Put searched values into the sections of a study: one key of one section, or a whole mapping."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, cast

from pydantic import JsonValue, TypeAdapter

from orchestrator.study.merge import merge
from orchestrator.study.schema import StudySpec
from trainers.schema.detector import Detector
from trainers.schema.method import MethodSpec
from trainers.schema.schedule import Schedule

SectionName = Literal["method", "student", "schedule"]
SEARCHABLE: tuple[SectionName, ...] = ("method", "student", "schedule")
Searched = Detector | MethodSpec | Schedule
Params = Mapping[str, JsonValue]


def annotation_of(name: SectionName) -> Any:
    """Return the type that validates a section."""
    return MethodSpec if name == "method" else StudySpec.model_fields[name].annotation


def section_of(key: str) -> str:
    """Return the section that a searched key lies in."""
    return key.partition(".")[0]


def belonging_to(name: SectionName, params: Params) -> dict[str, JsonValue]:
    """Return the searched values that lie in one section."""
    return {key: value for key, value in params.items() if section_of(key) == name}


def raw_section(study: StudySpec, name: SectionName, params: Params) -> JsonValue:
    """Return a section as plain data with the searched values in it.

    A whole mapping goes in before its keys, and a ``kind``, which replaces its mapping, before its neighbours.
    """
    section: JsonValue = getattr(study, name).model_dump(mode="json")
    for key in sorted(params, key=lambda key: (key.count("."), not key.endswith(".kind"))):
        over = params[key]
        for part in reversed(key.split(".")[1:]):
            over = {part: over}
        section = merge(section, over)
    return section


def validated(name: SectionName, section: JsonValue) -> Searched:
    """Return the section as its typed form; raise ``pydantic.ValidationError`` when a value does not fit."""
    return cast(Searched, _adapter(name).validate_json(json.dumps(section)))


@cache
def _adapter(name: SectionName) -> TypeAdapter[Any]:
    return TypeAdapter(annotation_of(name))
