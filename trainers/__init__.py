"""Do the work of one worker group: build detectors, distil, evaluate, checkpoint. Runs without Ray and MLflow."""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# OpenCV reads it when it is loaded. A picture of a few kilobytes may say that it has a billion pixels.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))


class OperatorFinder(MetaPathFinder):
    """Find ``mmcv._ext`` where no compiled one exists: it stands last, so it is asked only when all others have failed.

    In this way importing anything of mmdet works in every process that has imported ``trainers``, at no cost to those
    that import ``trainers.schema`` alone.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the stand-in of ``trainers.compat.ops`` for ``mmcv._ext``, nothing for any other name."""
        if fullname != "mmcv._ext":
            return None
        from trainers.compat.ops import OperatorLoader

        return ModuleSpec(fullname, OperatorLoader(), origin="trainers.compat.ops")


sys.meta_path.append(OperatorFinder())
