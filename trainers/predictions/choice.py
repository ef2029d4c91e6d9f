"""Choose the images that detectors are shown on."""

import hashlib
from typing import Any

from trainers.errors import TrialError


def chosen(dataset: Any, count: int, ids: tuple[int, ...] | None) -> list[int]:
    """Return the indices of ``count`` images, or of those with these numbers, in the order in which they are shown.

    The order follows from the images' numbers alone, so that every trial of a dataset is shown the same images, and
    fewer images are a part of more. Images without objects come last. Raises ``TrialError`` for a number that no
    image of the dataset has.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if ids is not None:
        return _numbered({info["img_id"]: index for index, info in enumerate(infos)}, ids)
    return sorted(range(len(infos)), key=lambda index: _place(infos[index]))[:count]


def _numbered(places: dict[int, int], ids: tuple[int, ...]) -> list[int]:
    unknown = [number for number in ids if number not in places]
    if unknown:
        known = f"{len(places)} images, numbered from {min(places)} to {max(places)}"
        raise TrialError(f"the validation split has no image {unknown[0]}: it has {known}")
    return [places[number] for number in dict.fromkeys(ids)]


def _place(info: dict[str, Any]) -> tuple[bool, str]:
    """Return what images are ordered by: a digest, since neighbours in a file are often frames of one scene."""
    return not info["instances"], hashlib.sha256(str(info["img_id"]).encode()).hexdigest()
