"""Count how the scores of right and wrong boxes spread."""

from collections import Counter
from collections.abc import Sequence

from trainers.schema.predictions import BINS, DetectionKind, ImagePredictions, Picture, ScoreCounts


def count_scores(trial: str, pictures: Sequence[Picture], found: Sequence[ImagePredictions]) -> ScoreCounts:
    """Return one trial's counts; the n-th items of ``pictures`` and ``found`` belong to one image."""
    counted = Counter(
        (kind, min(int(score * BINS), BINS - 1))
        for item in found
        for kind, score in zip(item.kinds, item.scores, strict=True)
    )

    def bins(kind: DetectionKind) -> tuple[int, ...]:
        return tuple(counted[kind, number] for number in range(BINS))

    return ScoreCounts(
        trial=trial,
        images=len(pictures),
        objects=sum(not box.ignore for picture in pictures for box in picture.truth),
        missed=sum(len(item.missed) for item in found),
        tp=bins("tp"),
        fp=bins("fp"),
        ignored=bins("ignored"),
    )
