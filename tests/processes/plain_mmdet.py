"""Run a script as someone does who has mmdet and nothing of Stillhouse: ``python -I -S plain_mmdet.py PACKAGES SCRIPT ...``.

mmdet needs the operators of a compiled mmcv; this stands in for the one that detecting needs, by torchvision.
"""

import importlib.machinery
import importlib.util
import runpy
import sys
import types
from typing import Any

sys.path.append(sys.argv[1])

import torchvision


class Operators(types.ModuleType):
    """Hold NMS; other operators are there to be imported, and fail when they are called."""

    @staticmethod
    def nms(boxes: Any, scores: Any, iou_threshold: float, offset: int) -> Any:
        assert offset == 0
        return torchvision.ops.nms(boxes, scores, iou_threshold)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def lacking(*_: Any, **__: Any) -> None:
            raise NotImplementedError(name)

        return lacking


for package in ("orchestrator", "trainers", "dashboards", "tests"):
    assert importlib.util.find_spec(package) is None, package
operators = Operators("mmcv._ext")
operators.__spec__ = importlib.machinery.ModuleSpec(operators.__name__, importlib.machinery.BuiltinImporter)
sys.modules[operators.__name__] = operators
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
