"""Define the typed sections that studies and trials are made of. Imports pydantic only."""

from trainers.spec.base import Section as Section
from trainers.spec.dataset import CocoDataset as CocoDataset
from trainers.spec.dataset import CocoSplit as CocoSplit
from trainers.spec.dataset import DatasetSpec as DatasetSpec
from trainers.spec.dataset import ShapesDataset as ShapesDataset
from trainers.spec.dataset import VocDataset as VocDataset
from trainers.spec.dataset import VocPart as VocPart
from trainers.spec.dataset import class_count as class_count
from trainers.spec.dataset import class_names as class_names
from trainers.spec.detector import Detector as Detector
from trainers.spec.method import Bckd as Bckd
from trainers.spec.method import MethodSpec as MethodSpec
from trainers.spec.method import NoDistillation as NoDistillation
from trainers.spec.schedule import Schedule as Schedule
from trainers.spec.trial import Job as Job
from trainers.spec.trial import Placement as Placement
from trainers.spec.trial import Teacher as Teacher
from trainers.spec.trial import TrialSpec as TrialSpec
from trainers.spec.trial import Weights as Weights
