"""Choose the images that detectors are shown on."""

import hashlib
from collections.abc import Collection
from typing import Any

from trainers.errors import TrialError


def chosen(dataset: Any, count: int, ids: tuple[int | str, ...] | None) -> list[int]:
    """Return the indices of ``count`` images, or of those with these ids, in the order in which they are shown.

    The order follows from the images' ids alone, so that every trial of a dataset is shown the same images, and
    fewer images are a part of more. Images without objects come last. Raises ``TrialError`` for an id that no
    image of the dataset has.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if ids is not None:
        return _named({str(info["img_id"]): index for index, info in enumerate(infos)}, ids)
    return sorted(range(len(infos)), key=lambda index: _place(infos[index]))[:count]


def _named(places: dict[str, int], ids: tuple[int | str, ...]) -> list[int]:
    wanted = dict.fromkeys(str(name) for name in ids)
    unknown = [name for name in wanted if name not in places]
    if unknown:
        raise TrialError(
            f"the validation split has no image {unknown[0]}: it has {len(places)} images, {_range(places)}"
        )
    return [places[name] for name in wanted]


def _range(names: Collection[str]) -> str:
    try:
        numbers = [int(name) for name in names]
    except ValueError:
        return f"among them {', '.join(list(names)[:3])}"
    return f"numbered from {min(numbers)} to {max(numbers)}"


def _place(info: dict[str, Any]) -> tuple[bool, str]:
    """Return the sort key of images: a digest, since neighbours in a file are often frames of one scene."""
    return not info["instances"], hashlib.sha256(str(info["img_id"]).encode()).hexdigest()
