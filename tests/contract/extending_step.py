"""Train one step with a term and a head that another package adds; run in a process of its own, which finds that package."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import Tensor

from tests.unit.trainers.scenes import CROWD, LARGE, preprocess
from tests.unit.trainers.tiny_heads import woken
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema import MethodSpec

METHOD = '{"kind": "terms", "terms": [{"kind": "score-mse", "weight": 2.0}, {"kind": "channel-means"}]}'


def main(config: Path) -> None:
    """Print what one step has computed."""
    method = TypeAdapter(MethodSpec).validate_json(METHOD)
    student, teacher = woken(config, 1).train(), FrozenTeacher(woken(config, 2))
    distiller = Distiller(student, method, teacher=teacher)
    inputs, samples = preprocess(student, (LARGE, CROWD))
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache(), True)
    torch.stack(list(losses.values())).sum().backward()
    head, connectors = student.bbox_head.retina_cls.parameters(), distiller.connectors.parameters()
    print(
        json.dumps(
            {
                "adapter": type(distiller.adapter).__name__,
                "losses": {name: float(loss) for name, loss in losses.items()},
                "trained": moved(p.grad for p in head),
                "connector_trained": moved(p.grad for p in connectors),
            }
        )
    )


def moved(gradients: Iterable[Tensor | None]) -> bool:
    """Return whether there are gradients, and all of them would change something."""
    return all([g is not None and bool(g.isfinite().all()) and bool(g.any()) for g in gradients] or [False])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
