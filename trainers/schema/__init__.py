"""Define the typed sections that studies and trials are made of. Imports pydantic only.

Methods, and trials with them, are loaded when they are asked for: a package that adds a term imports
``trainers.schema.terms`` before the list of all terms is made.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from trainers.schema.base import Section as Section
from trainers.schema.dataset import CocoDataset as CocoDataset
from trainers.schema.dataset import CocoSplit as CocoSplit
from trainers.schema.dataset import DatasetSpec as DatasetSpec
from trainers.schema.dataset import ShapesDataset as ShapesDataset
from trainers.schema.dataset import VocDataset as VocDataset
from trainers.schema.dataset import VocPart as VocPart
from trainers.schema.dataset import class_count as class_count
from trainers.schema.dataset import class_names as class_names
from trainers.schema.detector import Detector as Detector
from trainers.schema.schedule import Schedule as Schedule

if TYPE_CHECKING:
    from trainers.schema.method import Bckd as Bckd
    from trainers.schema.method import MethodSpec as MethodSpec
    from trainers.schema.method import NoDistillation as NoDistillation
    from trainers.schema.trial import Job as Job
    from trainers.schema.trial import Placement as Placement
    from trainers.schema.trial import Teacher as Teacher
    from trainers.schema.trial import TrialSpec as TrialSpec
    from trainers.schema.trial import Weights as Weights

LATER = ("method", "trial")


def __getattr__(name: str) -> object:
    """Return a section of a method or a trial."""
    for home in LATER if name[:1].isupper() else ():
        module = import_module(f"trainers.schema.{home}")
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
