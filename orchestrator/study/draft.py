"""Validate a study's raw data, keeping the sections that are right when others are wrong."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from orchestrator.study.location import Problem
from orchestrator.study.messages import explain
from orchestrator.study.schema import Study

# What stands in for a required section that is wrong; an optional one takes its default.
PLACEHOLDERS: dict[str, JsonValue] = {
    "name": "placeholder",
    "dataset": {"kind": "shapes"},
    "student": {"config": "placeholder"},
    "method": {"kind": "none"},
}


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold a study of which only the sections outside ``unusable`` mean anything."""

    study: Study
    unusable: frozenset[str]

    def has(self, sections: Iterable[str]) -> bool:
        """Tell whether all these sections are usable."""
        return self.unusable.isdisjoint(sections)


def validate(data: dict[str, JsonValue], hidden: Iterable[str]) -> tuple[Draft, list[Problem]]:
    """Return the study in ``data`` and everything that is wrong with its sections, each on its own.

    ``hidden`` names sections that hold values which could not be read.
    """
    try:
        study, problems = Study.model_validate_json(json.dumps(data)), []
    except ValidationError as error:
        problems = explain(error, Study, data)
        wrong = {str(problem.path[0]) for problem in problems}
        study = Study.model_validate_json(json.dumps(_patched(data, wrong)))
    unusable = frozenset(hidden) | {str(problem.path[0]) for problem in problems}
    return Draft(study, unusable), problems


def _patched(data: dict[str, JsonValue], wrong: set[str]) -> dict[str, JsonValue]:
    """Return ``data`` with placeholders for the sections that are wrong."""
    right = {key: value for key, value in data.items() if key not in wrong}
    return right | {key: value for key, value in PLACEHOLDERS.items() if key in wrong}
