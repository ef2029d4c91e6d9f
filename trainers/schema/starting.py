"""Say which file a detector's training starts from. Imports nothing heavy."""

from trainers.errors import TrialError
from trainers.schema.class_names import COCO80
from trainers.schema.detector import DetectorWeights, ZooWeights
from trainers.schema.zoo import find_checkpoint


def source_of(weights: DetectorWeights) -> str:
    """Return the URL of a public checkpoint, or the path of a file.

    Raises ``TrialError`` for a name that is none of a public checkpoint; a study's check has found it before.
    """
    if not isinstance(weights, ZooWeights):
        return weights.path
    found = find_checkpoint(weights.name)
    if found is None:
        raise TrialError(f"no public checkpoint is called {weights.name}")
    return found.url


def public_classes(weights: DetectorWeights) -> tuple[str, ...] | None:
    """Return the classes of a public checkpoint, which are COCO's; of any other file they stand in the file or nowhere."""
    return COCO80 if isinstance(weights, ZooWeights) else None
