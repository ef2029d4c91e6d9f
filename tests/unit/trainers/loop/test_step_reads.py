"""Prove that what distillation adds to a step reads no value on the host, from the teacher's forward pass to the gradients."""

from typing import Any

import pytest
import torch

from tests.unit.trainers.distilling import METHODS, Scene
from tests.unit.trainers.host_reads import host_reads


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method["kind"])
def test_nothing_is_read_once_shapes_are_known(method: dict[str, Any]) -> None:
    scene = Scene(method, torch.device("cpu"))
    scene.losses()  # assigns the targets
    scene.distil()
    assert host_reads(scene.distil) == set()
