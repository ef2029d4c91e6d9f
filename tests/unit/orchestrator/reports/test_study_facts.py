"""A report says in words what was trained, from whom and on what."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.reports.schedule_words import schedule_words
from orchestrator.reports.study_facts import study_facts
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.schedule import Schedule

COSINE = {"policy": {"kind": "cosine"}}
WORDS: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {},
        ("12 epochs in batches of 16; SGD at a learning rate of 0.01 after 500 steps of warm-up, times 0.1 after epochs 8 and "
        "11; evaluated after each epoch"),
    ),
    (
        {**COSINE, "epochs": 1, "batch_size": 4, "lr": 0.0015, "optimizer": {"kind": "adamw"}, "warmup": {"iterations": 1}},
        ("1 epoch in batches of 4; AdamW at a learning rate of 0.0015 after 1 step of warm-up, falling along half a cosine to "
        "0; evaluated after each epoch"),
    ),
    (
        {
            "epochs": 300, "lr": 0.02, "lr_batch": 32, "closing_epochs": 20, "ema": {}, "clip_grad": 35.0, "val_interval": 10,
            "precision": "bf16", "warmup": {"epochs": 5}, "policy": {"kind": "flat-cosine", "begin": 150, "final_factor": 0.05},
        },
        ("300 epochs in batches of 16; SGD at a learning rate of 0.01 after 5 epochs of warm-up, falling along half a cosine "
        "from epoch 150 on to 0.05 of it; the last 20 epochs without mosaic and mixup; a moving average of the weights is "
        "evaluated; gradients are clipped at a norm of 35; computed in bf16; evaluated every 10 epochs"),
    ),
    (
        {"epochs": None, "iterations": 900, "warmup": {"iterations": 0}, "policy": {"kind": "step", "milestones": (600,)}},
        "900 steps in batches of 16; SGD at a learning rate of 0.01, times 0.1 after step 600; evaluated after each epoch",
    ),
    (
        {"iterations": 2, "warmup": {"iterations": 0}, "policy": {"kind": "constant"}},
        "12 epochs, at most 2 steps, in batches of 16; SGD at a learning rate of 0.01, constant; evaluated after each epoch",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("settings", "words"), WORDS)
def test_schedules_in_words(settings, words):
    assert schedule_words(Schedule.model_validate(settings)) == words


def facts(tmp_path, *sets, counts=None):
    return dict(study_facts(plan_text(tmp_path, VALID, *sets), counts))


COCO = (
    "dataset={kind: coco, root: /data/cells, classes: [red, white], image_size: [320, 240], "
    "train: {annotations: train.json, images: images}, val: {annotations: val.json, images: images}}"
)


def test_images_boxes_and_classes_of_the_data(tmp_path):
    counts = {
        "train": {"images_used": 205, "boxes_used": 3001, "by_class": {"red": 3000, "white": 1}},
        "val": {"images_used": 1, "boxes_used": 1, "by_class": {"red": 1, "white": 0}},
    }
    found = facts(tmp_path, COCO, counts=counts)
    assert found["data"] == "cells (coco), 2 classes, images of 320 x 240"
    assert found["training split"] == "205 images, 3001 boxes: 3000 red, 1 white"
    assert found["validation split"] == "1 image, 1 box: 1 red, 0 white"


def test_counts_that_nobody_recorded_are_said_to_be_unknown(tmp_path):
    found = facts(tmp_path, COCO)
    assert {found["training split"], found["validation split"]} == {"not recorded"}


def test_students_that_a_study_compares_are_all_named(tmp_path):
    found = facts(tmp_path, "search.space.student.width=[0.25, 0.125]")
    config = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
    widths = [f"{config}, width {width}, from random weights" for width in (0.25, 0.125)]
    assert found["student"] == " | ".join(widths)
    assert found["searched"] == "method.alpha2, student.width"


def test_equal_students_are_named_once_and_a_study_without_any_says_so(tmp_path):
    assert facts(tmp_path)["student"] == "mmdet::gfl/gfl_r50_fpn_1x_coco.py, from random weights"
    nobody = replace(plan_text(tmp_path, VALID), students=())
    found = dict(study_facts(nobody, None))
    assert (found["student"], "schedule" in found) == ("none", False)


def test_schedules_that_a_study_compares_are_all_said(tmp_path):
    found = facts(tmp_path, "search.space.schedule.epochs=[12, 24]")
    first, second = found["schedule"].split(" | ")
    assert (first.split(" in ")[0], second.split(" in ")[0]) == ("12 epochs", "24 epochs")
