"""Put searched values into the sections of a study: one key of one section, or a whole mapping."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, cast

from pydantic import JsonValue, TypeAdapter

from orchestrator.study.fields import known_keys
from orchestrator.study.merge import merge
from orchestrator.study.schema import StudySpec, TeacherSection
from trainers.schema.dataset import DatasetSpec
from trainers.schema.detector import Detector
from trainers.schema.image_pipeline import AUGMENTATION
from trainers.schema.method import MethodSpec
from trainers.schema.schedule import Schedule

SectionName = Literal["method", "student", "schedule", "teacher", "dataset"]
SEARCHABLE: tuple[SectionName, ...] = ("method", "student", "schedule", "teacher", "dataset")
Searched = Detector | MethodSpec | Schedule | TeacherSection | DatasetSpec
Params = Mapping[str, JsonValue]
SPACE = "search.space."
_UNIONS: Mapping[SectionName, Any] = {"method": MethodSpec, "teacher": TeacherSection, "dataset": DatasetSpec}


def annotation_of(name: SectionName) -> Any:
    """Return the type that validates a section."""
    return _UNIONS.get(name) or StudySpec.model_fields[name].annotation


def is_searchable(key: str) -> bool:
    """Return whether a search may vary a key of a study: of the dataset, that which changes training images alone."""
    section, _, field = key.partition(".")
    return section in SEARCHABLE and (section != "dataset" or not field or field.partition(".")[0] in AUGMENTATION)


@cache
def searchable_keys() -> tuple[str, ...]:
    """Return every key that a search may vary."""
    return tuple(key for key in known_keys(StudySpec) if is_searchable(key))


def section_of(key: str) -> str:
    """Return the section that a searched key lies in."""
    return key.partition(".")[0]


def belonging_to(name: SectionName, params: Params) -> dict[str, JsonValue]:
    """Return the searched values that lie in one section."""
    return {key: value for key, value in params.items() if section_of(key) == name}


def written_at(study: StudySpec, key: str) -> str:
    """Return the key of the file that sets a key of a trial: one of the search space, or else the key itself."""
    parts = key.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((f"{SPACE}{name}" for name in above if name in study.search.space), key)


def raw_section(study: StudySpec, name: SectionName, params: Params) -> JsonValue:
    """Return a section as plain data with the searched values in it.

    A whole mapping goes in before its keys, and a ``kind``, which replaces its mapping, before its neighbours.
    """
    written = getattr(study, name)
    section: JsonValue = None if written is None else written.model_dump(mode="json")
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
