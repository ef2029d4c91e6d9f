"""A package's term or head gives needs by their members; anything else is told."""

from typing import Any

import pytest

from trainers.schema.terms import BUILT_IN, Need, no_need


@pytest.mark.parametrize("needs", [(), tuple(Need), (Need.BOXES,), frozenset({Need.LOGITS, Need.BOXES})])
def test_members_are_needs(needs: Any) -> None:
    assert no_need("needs", needs) is None


@pytest.mark.parametrize(
    ("needs", "wrong"), [(("boxes",), "'boxes'"), ((Need.LOGITS, 3, "x"), "3"), ([None], "None"), ("ab", "'a'")]
)
def test_the_first_that_is_none_is_told_with_those_that_there_are(needs: Any, wrong: str) -> None:
    told = no_need("gives", needs)
    assert told == f"gives {wrong}, which is no member of Need: {', '.join(need.name for need in Need)}"


@pytest.mark.parametrize("section", BUILT_IN)
def test_our_own_terms_need_members(section: Any) -> None:
    assert no_need("needs", (*section.NEEDS, *section.TEACHER_NEEDS)) is None
