"""Load weights from files that nobody vouches for, and say how much of the model they cover."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.errors import TrialError
from trainers.spec import Weights
from trainers.spec.remote import FetchError, fetch

StateDict = dict[str, Tensor]
URL = ("https://", "http://")


@dataclass(frozen=True)
class Coverage:
    """Tell which of the model's tensors a checkpoint filled."""

    total: int
    missing: tuple[str, ...]
    misshapen: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def share(self) -> float:
        """Return the share of the model's tensors that were loaded, 0 to 1."""
        return 1.0 - (len(self.missing) + len(self.misshapen)) / self.total

    def describe(self) -> str:
        """Return one sentence with the numbers and the first names."""
        parts = [f"{self.share:.1%} of {self.total} tensors loaded"]
        for label, names in (("missing", self.missing), ("other shape", self.misshapen), ("unused", self.unused)):
            if names:
                parts.append(f"{label}: {len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})")
        return "; ".join(parts)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint, by path or URL, read with ``weights_only=True``: nothing in the file is executed.

    Raises ``TrialError`` when the file is missing, damaged, or holds objects other than tensors and plain data.
    """
    try:
        if str(path).startswith(URL):
            path = fetch(str(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FetchError as error:
        raise TrialError(str(error)) from error
    except OSError as error:
        raise TrialError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except Exception as error:  # on damaged bytes torch's reader raises nearly anything
        raise TrialError(f"checkpoint {path} {_complaint(error)}") from error
    if not isinstance(content, dict):
        raise TrialError(f"checkpoint {path} holds {type(content).__name__}, not a dictionary of weights")
    return content


def read_state_dict(path: str | Path) -> StateDict:
    """Return the model weights of a checkpoint, with or without mmengine's ``state_dict`` wrapping."""
    content = read_checkpoint(path)
    state = content.get("state_dict", content)
    pairs = state.items() if isinstance(state, dict) else ()
    tensors = {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, Tensor)}
    if not tensors:
        raise TrialError(f"checkpoint {path} holds no weights")
    return tensors


def load_state(model: nn.Module, state: StateDict) -> Coverage:
    """Copy every tensor of ``state`` whose name and shape fit into ``model``; return what was covered."""
    own = model.state_dict()
    misshapen = tuple(key for key in own if key in state and state[key].shape != own[key].shape)
    missing = tuple(key for key in own if key not in state)
    unused = tuple(key for key in state if key not in own)
    model.load_state_dict({k: v for k, v in state.items() if k in own and k not in misshapen}, strict=False)
    return Coverage(len(own), missing, misshapen, unused)


def load_weights(model: nn.Module, weights: Weights, what: str) -> Coverage:
    """Load ``weights`` into ``model``; raise ``TrialError`` when they cover less than ``weights.coverage`` of it."""
    coverage = load_state(model, read_state_dict(weights.path))
    if coverage.share < weights.coverage:
        raise TrialError(
            f"checkpoint {weights.path} does not fit the {what}: {coverage.describe()} "
            f"(at least {weights.coverage:.1%} asked for)"
        )
    return coverage


def _complaint(error: Exception) -> str:
    """Tell forbidden content from damage; torch's text on the former advises to switch the safety off."""
    if not isinstance(error, pickle.UnpicklingError):
        first_line = (str(error).strip().splitlines() or [""])[0]
        return f"is damaged, or is no checkpoint ({type(error).__name__}: {first_line})"
    if " GLOBAL " in str(error):
        return "holds objects other than tensors and plain data, refused"
    return "is damaged, or is no checkpoint"
