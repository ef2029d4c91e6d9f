"""Count the images that an epoch of a dataset has, as training will: exactly, or not at all."""

from orchestrator.dataset_check.readings import reading
from trainers.schema import DatasetSpec, ShapesDataset
from trainers.schema.annotations.kinds import UNKNOWN_SIZE


def training_images(dataset: DatasetSpec) -> int | None:
    """Return how many images an epoch has, repeats counted.

    ``None`` where the data is missing, damaged or huge, and where no image is left: that is an error of the data, and
    no trial without steps.
    """
    if isinstance(dataset, ShapesDataset):
        return dataset.train_images * dataset.repeat
    found = reading(dataset, "train")
    if found is None or found.notes.stopping is not None or found.notes.counts[UNKNOWN_SIZE]:
        return None
    return found.usage.images_used * dataset.repeat or None
