"""Run several trials' students on chosen images, and record their detections."""

from pathlib import Path
from typing import Any

import torch

from trainers.data.datasets import build_dataset
from trainers.loop.loop import prepare_process
from trainers.predictions.budget import fitting
from trainers.predictions.choice import chosen
from trainers.predictions.counts import count_scores
from trainers.predictions.detect import detect, load_subject
from trainers.predictions.picture import keep_picture
from trainers.predictions.split_errors import keep_split_errors
from trainers.schema import class_names
from trainers.schema.predictions import IMAGES, INDEX, SCORES, TRIALS, Index, Picture, PredictionJob, Subject


def predict(job: PredictionJob) -> Index:
    """Write the files that ``trainers.schema.predictions`` describes and return the index.

    One detector is in memory at a time. The index is written last: where it is, everything is. Raises ``TrialError``
    when an image or a checkpoint cannot be read, and when the budget is too small for a single image.
    """
    folder, device = Path(job.directory), prepare_process(job.threads, job.cuda)
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    dataset = build_dataset(job.subjects[0].spec.dataset, "val")
    places = chosen(dataset, job.limits.images, job.image_ids)
    pictures = [keep_picture(dataset, place, job.limits, folder) for place in places]
    for subject in job.subjects:
        place = folder / TRIALS / subject.id
        detector = _predict_once(subject, dataset, places, pictures, device, place)
        if job.curves:
            keep_split_errors(detector, dataset, subject.spec.dataset, subject.id, place)
    kept = fitting(folder, pictures, job.limits)
    index = Index(
        classes=class_names(job.subjects[0].spec.dataset),
        images=tuple(kept),
        trials={subject.id: subject.name for subject in job.subjects},
        curves=tuple(subject.id for subject in job.subjects) if job.curves else (),
        asked=job.limits.images if job.image_ids is None else len(places),
        left_out=len(pictures) - len(kept),
        budget_bytes=job.limits.budget_bytes,
    )
    (folder / INDEX).write_text(index.model_dump_json(indent=1))
    return index


def _predict_once(
    subject: Subject, dataset: Any, places: list[int], pictures: list[Picture], device: torch.device, folder: Path
) -> Any:
    """Write one trial's files about the chosen images and return its detector."""
    folder.mkdir(parents=True, exist_ok=True)
    detector = load_subject(subject, device)
    found = []
    for place, picture in zip(places, pictures, strict=True):
        found.append(detect(detector, dataset[place], picture, subject.id, subject.spec.dataset.max_detections))
        (folder / f"{picture.key}.json").write_text(found[-1].model_dump_json())
    (folder / SCORES).write_text(count_scores(subject.id, pictures, found).model_dump_json())
    return detector
