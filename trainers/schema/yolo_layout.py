"""Find the files of one part of a split in YOLO's layout."""

import os
import posixpath
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from trainers.schema.dataset import SplitName, YoloDataset, YoloPart, yolo_parts
from trainers.schema.file_names import require_below
from trainers.schema.files_digest import DigestingReader, FilesDigest, state_of
from trainers.schema.tree import Tree, files_below
from trainers.schema.user_file import LARGEST_TEXT, read_text
from trainers.schema.voc_layout import SUFFIXES

IMAGES, LABELS, TEXT = "images", "labels", ".txt"


def yolo_places(dataset: YoloDataset, split: SplitName) -> Iterator[Path]:
    """Yield the files and folders whose times tell that a split has changed."""
    root = Path(dataset.root)
    if dataset.data is not None:
        yield root / dataset.data
    for part in yolo_parts(dataset, split):
        yield from (root / part.images, root / (part.labels or part.images.replace(IMAGES, LABELS)))


class YoloFiles:
    """Find images and label files of one part. Folders are listed once: make a new one to see changes."""

    def __init__(self, root: str | Path, part: YoloPart) -> None:
        self.part, self._root = part, Path(root)
        self.source = self._root / part.images
        self._tree = Tree(self._root)

    @property
    def is_list(self) -> bool:
        """Return whether a text file names the images."""
        return self.part.images.lower().endswith(TEXT) and not os.path.isdir(self.source)  # noqa: PTH112

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the images' paths below the root, in order.

        Raises ``OSError``, or ``ValueError`` for a list that is no text or names files elsewhere.
        """
        return tuple(self._listed()) if self.is_list else tuple(sorted(self._found()))

    @cached_property
    def lost_links(self) -> tuple[str, ...]:
        """Return the paths of links among the images that lead nowhere, and may have led to a folder of images.

        Editors mark open files by such links, whose names begin with a dot.
        """
        if self.is_list:
            return ()
        below = ((at, file) for at, files in files_below(self.source) for file in files if not file.startswith("."))
        paths = (f"{at}/{file}" for at, file in below if not file.lower().endswith((*SUFFIXES, TEXT)))
        return tuple(sorted(path for path in paths if not os.path.exists(path)))  # noqa: PTH110  of 100,000 files

    def has_image(self, name: str) -> bool:
        """Return whether an image is there."""
        return self._tree.has(name)

    def label_file(self, name: str) -> str | None:
        """Return the path below the root of an image's labels, ``None`` where there is no such file."""
        return next((path for path in self._label_paths(name) if self._tree.has(path)), None)

    def digest(self, seen: FilesDigest | None = None) -> str:
        """Return a digest of the images' names and of all labels; raises as ``names`` does.

        ``seen`` is a reader's record of these files: its digest is valid while they are unchanged.
        """
        labels = self.labels
        if seen is not None and seen.state == state_of(self._named, labels):
            return seen.digest
        reader = DigestingReader()
        for path in labels:
            reader.read(path)
        return reader.seen(self._named).digest

    def seen_by(self, reader: DigestingReader) -> FilesDigest | None:
        """Return ``reader``'s record of the part, ``None`` unless it has read the labels of all images in order."""
        return reader.seen(self._named) if reader.files == len(self.labels) else None

    @cached_property
    def labels(self) -> Sequence[str]:
        """Return the label files that exist, in the order of their images."""
        found = (self.label_file(name) for name in self.names)
        return tuple(f"{self._root}/{path}" for path in found if path is not None)

    @property
    def _named(self) -> bytes:
        """Return the text that names the images, with a mark for each that has labels."""
        lines = (f"{name}\0{self.label_file(name) is not None:d}" for name in self.names)
        return "\n".join(lines).encode("utf-8", "surrogateescape")

    def _found(self) -> Iterator[str]:
        os.scandir(self.source).close()  # raises where there is no folder; ``files_below`` would be silent
        for at, files in files_below(self.source):
            below = os.path.relpath(at, self._root)
            for file in files:
                if file.lower().endswith(SUFFIXES):
                    yield posixpath.normpath(f"{below}/{file}")

    def _listed(self) -> Iterator[str]:
        lines = read_text(self.source, LARGEST_TEXT).splitlines()
        for line in filter(None, map(str.strip, lines)):
            name = require_below(line.replace("\\", "/").removeprefix(f"{self._root}/"))
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(self.part.images), name))
            yield beside if self._tree.has(beside) else posixpath.normpath(name)

    def _label_paths(self, name: str) -> Iterator[str]:
        stem = posixpath.splitext(name)[0] + TEXT
        if self.part.labels is not None:
            folder = "." if self.is_list else self.part.images
            yield posixpath.normpath(f"{self.part.labels}/{posixpath.relpath(stem, folder)}")
            return
        folders = stem.split("/")
        for place in range(len(folders) - 2, -1, -1):
            if folders[place] == IMAGES:
                yield "/".join([*folders[:place], LABELS, *folders[place + 1 :]])
                break
        yield stem
