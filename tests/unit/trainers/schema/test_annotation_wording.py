"""Messages count in the singular where there is one, and show what could not be seen."""

import pytest

from trainers.schema.annotations.kinds import COUNTED
from trainers.schema.annotations.usage import listed
from trainers.schema.annotations.wording import boxes, has, images, visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat", "cat"),
        ("hot dog", "hot dog"),
        ("cat ", "'cat '"),
        ("\u00a0cat", "'\\xa0cat'"),
        ("", "''"),
        ("/data/images/1.jpg", "/data/images/1.jpg"),
        ("/data/images/1.jpg ", "'/data/images/1.jpg '"),
        ("/data/images/ 1.jpg", "'/data/images/ 1.jpg'"),
    ],
)
def test_spaces_at_the_ends_are_seen(name: str, shown: str) -> None:
    assert visible(name) == shown


def test_one_of_a_kind_is_in_the_singular() -> None:
    assert listed(dict.fromkeys(COUNTED, 2)).count("2 ") == len(COUNTED)
    singular = listed(dict.fromkeys(COUNTED, 1))
    assert not [name for name in COUNTED if f"1 {name}" in singular]
    assert (
        listed({"boxes outside of their images": 1, "small images": 2}) == "1 box outside of its image, 2 small images"
    )
    assert (images(1), images(0), boxes(1), boxes(2)) == ("1 image", "0 images", "1 box", "2 boxes")


def test_a_key_that_is_not_there_has_no_value() -> None:
    assert (has("bbox", None), has("bbox", [1])) == ("has no bbox", "has the bbox [1]")
