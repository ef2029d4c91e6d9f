"""Read the annotations of a dataset's split into plain records, the same way for training, evaluation and checks."""

from trainers.spec.annotations.kinds import Kind as Kind
from trainers.spec.annotations.notes import Note as Note
from trainers.spec.annotations.notes import Notes as Notes
from trainers.spec.annotations.records import AnnotatedSplit as AnnotatedSplit
from trainers.spec.annotations.records import Box as Box
from trainers.spec.annotations.records import Image as Image
from trainers.spec.annotations.records import SizeOf as SizeOf
from trainers.spec.annotations.split import FileDataset as FileDataset
from trainers.spec.annotations.split import SplitName as SplitName
from trainers.spec.annotations.split import read_split as read_split
from trainers.spec.annotations.split import source as source
