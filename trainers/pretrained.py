"""Load ImageNet weights into a backbone."""

from typing import Any

from torch import nn

from trainers.errors import TrialError
from trainers.spec.remote import imagenet_url
from trainers.weights import load_state, read_state_dict


def load_imagenet(backbone: nn.Module, config: Any) -> None:
    """Load torchvision's ImageNet weights into an mmdet ResNet; the classifier (``fc``) is left out.

    Raises ``TrialError`` when there are none for this backbone, or when a tensor is missing or has another shape.
    """
    url = imagenet_url(config.get("depth"))
    if config.type != "ResNet" or url is None:
        raise TrialError(f"no ImageNet weights known for backbone {config.type}: say weights: random")
    state = read_state_dict(url)
    coverage = load_state(backbone, {key: value for key, value in state.items() if not key.startswith("fc.")})
    needed = [key for key in coverage.missing if not key.endswith("num_batches_tracked")]
    if needed or coverage.misshapen:
        raise TrialError(f"ImageNet weights do not fit the backbone: {coverage.describe()}")
