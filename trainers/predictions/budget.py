"""Keep the files of predictions within the bytes that they may take."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from trainers.errors import TrialError
from trainers.predictions.picture import picture_file
from trainers.schema.predictions import TRIALS, Limits, Picture


def fitting(folder: Path, pictures: Sequence[Picture], limits: Limits) -> list[Picture]:
    """Return the first images whose files fit into the budget together, and remove the files of the others.

    Raises ``TrialError`` when not even the first one fits.
    """
    totals = list(accumulate(sum(file.stat().st_size for file in _files(folder, picture)) for picture in pictures))
    count = sum(total <= limits.budget_bytes for total in totals)
    if not count:
        raise TrialError(
            f"predictions on one image take {totals[0] / 1e6:.2f} MB, the budget is {limits.budget_bytes / 1e6:.2f} MB: "
            "raise it, or name fewer trials"
        )
    for picture in pictures[count:]:
        for file in _files(folder, picture):
            file.unlink()
    return list(pictures[:count])


def _files(folder: Path, picture: Picture) -> list[Path]:
    return [picture_file(folder, picture.key), *(folder / TRIALS).glob(f"*/{picture.key}.json")]
