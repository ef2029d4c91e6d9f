"""Describe a trial's training and evaluation data as MLflow datasets."""

import json
from pathlib import PurePath

from mlflow.entities import Dataset, DatasetInput, InputTag

from orchestrator.core.redact import redacted
from trainers.schema import DatasetSpec, ShapesDataset

CONTEXT = "mlflow.data.context"
LONGEST_DIGEST = 36  # characters; MLflow's limit
SPLITS = {"train": "training", "val": "evaluation"}


def dataset_inputs(dataset: DatasetSpec, digest: str) -> list[DatasetInput]:
    """Return both splits of a dataset as inputs of a run; ``digest`` is that of the whole dataset's annotations.

    Trials on equal data name the same datasets, in any folder: the first folder is recorded.
    """
    drawn = isinstance(dataset, ShapesDataset)
    place = "drawn on the fly" if isinstance(dataset, ShapesDataset) else redacted(dataset.root)
    name = dataset.kind if drawn else PurePath(place).name or dataset.kind
    source = json.dumps({"uri": place, "kind": dataset.kind})
    return [
        DatasetInput(
            Dataset(f"{name} {split}", digest[:LONGEST_DIGEST], "code" if drawn else "local", source),
            [InputTag(CONTEXT, context)],
        )
        for split, context in SPLITS.items()
    ]
