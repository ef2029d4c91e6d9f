"""Return the width of a detector's pyramid and head before anything is built."""

from dataclasses import dataclass

from trainers.schema.detector import Detector
from trainers.schema.zoo import ZooConfig

GROUP = 32  # channels of neck and head stay multiples of it: their group norm has 32 groups


@dataclass(frozen=True, slots=True)
class Pyramid:
    """Hold the properties that feature-based terms compare.

    ``None`` where it is not known. ``convs``: the head's stacked ones.
    """

    channels: int | None
    levels: int | None
    head_channels: int | None
    convs: int | None

    def __str__(self) -> str:
        return f"{self.channels} channels on {self.levels} levels"


def pyramid_of(detector: Detector, config: ZooConfig) -> Pyramid:
    """Return the pyramid of a detector whose config is known."""
    return Pyramid(
        channels=scaled(config.neck_channels, detector.width),
        levels=config.num_outs,
        head_channels=scaled(config.feat_channels, detector.width),
        convs=config.stacked_convs,
    )


def scaled(channels: int | None, width: float) -> int | None:
    """Return a detector's channels of neck and head at ``width``: to the nearest multiple of 32, at least 32."""
    if channels is None or width == 1.0:
        return channels
    return max(GROUP, round(channels * width / GROUP) * GROUP)
