"""Read the annotations of a dataset's split into plain records, the same way for training, evaluation and checks."""

from trainers.schema.annotations.kinds import OddityKind as OddityKind
from trainers.schema.annotations.notes import Note as Note
from trainers.schema.annotations.notes import Notes as Notes
from trainers.schema.annotations.records import AnnotatedSplit as AnnotatedSplit
from trainers.schema.annotations.records import Box as Box
from trainers.schema.annotations.records import Image as Image
from trainers.schema.annotations.records import SizeOf as SizeOf
from trainers.schema.annotations.split import read_split as read_split
from trainers.schema.annotations.split import source as source
from trainers.schema.annotations.split import sources as sources
from trainers.schema.dataset import FileDataset as FileDataset
from trainers.schema.dataset import SplitName as SplitName
