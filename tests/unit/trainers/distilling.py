"""Do what distillation adds to a step, apart from mmdet's own losses and target assignment, which come before."""

from typing import Any

import torch
from mmdet.models.utils import unpack_gt_instances
from pydantic import TypeAdapter
from torch import Tensor

from tests.unit.trainers.scenes import CROWD, LARGE, preprocess
from tests.unit.trainers.tiny import detector
from trainers.detectors.detector import build_empty
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.schema import MethodSpec

METHODS = ({"kind": "bckd"}, {"kind": "ld"}, {"kind": "pkd+bckd"}, {"kind": "crosskd", "convs": 1})


class Scene:
    """Hold an untrained student, a teacher of other weights, and a batch whose targets are assigned."""

    def __init__(self, method: dict[str, Any], device: torch.device) -> None:
        spec: MethodSpec = TypeAdapter(MethodSpec).validate_python(method)
        self.student = build_empty(detector(), 3, seed=1).to(device).train()
        self.teacher = FrozenTeacher(build_empty(detector(), 3, seed=2).to(device))
        self.teacher.serve(spec)
        self.distiller = Distiller(self.student, spec)
        self.inputs, self.samples = preprocess(self.student, (LARGE, CROWD))
        self.cache = TargetCache()

    def losses(self) -> dict[str, Tensor]:
        """Return all losses: mmdet's, and the terms."""
        return self.distiller(self.inputs, self.samples, self.teacher.forward(self.inputs), self.cache)

    def distil(self) -> None:
        """Do what distillation adds: the teacher's forward pass, the terms, their gradients."""
        adapter = self.distiller.adapter
        head_outputs, targets = adapter.forward(self.inputs), self.cache.of(adapter)
        objects, _, metas = unpack_gt_instances(self.samples)
        boxes = [found.bboxes for found in objects]
        outputs = TeacherStudentOutputs(
            head_outputs,
            self.teacher.forward(self.inputs),
            lambda: adapter.anchors(head_outputs, targets),
            metas,
            boxes,
        )
        torch.stack([term(outputs) for term in self.distiller.terms.values()]).sum().backward()
