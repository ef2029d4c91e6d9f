import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.stillhouse import Answer, stillhouse

TINY = """
name: tiny
dataset: {kind: shapes, train_images: 16, val_images: 8, image_size: [64, 64]}
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.25, weights: random}
  schedule:
    epochs: 2
    batch_size: 8
    lr: 0.002
    optimizer: {kind: adamw}
    warmup: {iterations: 2}
    policy: {kind: constant}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: bckd}
schedule:
  epochs: 3
  batch_size: 8
  lr: 0.002
  optimizer: {kind: adamw}
  warmup: {iterations: 2}
  policy: {kind: cosine}
search:
  space:
    method.alpha1: [0.0, 1.0]
"""
PORTS_OF_RAY_AND_MLFLOW = (5000, 6379, 8265, 10001)


@dataclass(frozen=True)
class Ran:
    """Hold a study that was run to its end."""

    study: Path
    store: Path
    answer: Answer


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def ran(tiny_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The tiny study, run while the ports that Ray and MLflow like are taken by somebody else."""
    store = tmp_path_factory.mktemp("store")
    with taken(PORTS_OF_RAY_AND_MLFLOW):
        answer = stillhouse("run", tiny_study, "--store", store, "--json")
    assert answer.code == 0, answer.err
    return Ran(tiny_study, store, answer)


@contextmanager
def taken(ports: tuple[int, ...]) -> Iterator[None]:
    """Occupy TCP ports on loopback for the length of a block; one that is taken already is fine too."""
    with ExitStack() as held:
        for port in ports:
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                listener.listen()
        yield
