"""Work out which forms the search gives to one section of a study, and which searched values do not fit it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from orchestrator.fingerprint import canonical_json
from orchestrator.study.location import KeyPath, Problem, dotted
from orchestrator.study.messages import explain
from orchestrator.study.schema import Search, Study
from orchestrator.study.space import points, values_of
from orchestrator.study.substitute import Searched, SectionName, annotation_of, raw_section, section_of, validated
from orchestrator.study.wording import inline

Params = dict[str, JsonValue]
MOST_PROBLEMS = 20  # of one section; a grid repeats the same mistake in many combinations
SPACE: KeyPath = ("search", "space")


@dataclass(frozen=True, slots=True)
class Variant[Section]:
    pass
