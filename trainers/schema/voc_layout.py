"""Find the files of a folder in Pascal VOC's layout, or one that is near to it."""

import os
import posixpath
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from trainers.schema.dataset import VocPart
from trainers.schema.files_digest import DigestingReader, FilesDigest, state_of
from trainers.schema.tree import Tree, without_repeats
from trainers.schema.user_file import LARGEST_TEXT, read_bytes

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
XML = ".xml"
LISTS = ("ImageSets/Main", "ImageSets", ".")  # where lists lie: in Pascal VOC, and as tools write them
FLAGGED = re.compile(r"(.+?)[ \t]+(?:-1|0|1)")  # a line of one class's list: absent, difficult, present


def standard_list(root: Path, part: VocPart) -> Path:
    """Return where Pascal VOC has the list of a part's images."""
    return root / part.folder / LISTS[0] / f"{part.set}.txt"


class PartFiles:
    """Find the files of one part of a split. Folders are listed once: make a new one to see changes."""

    def __init__(self, root: str | Path, part: VocPart) -> None:
        self.part = part
        self.folder = Path(root) / part.folder
        self.annotations, self.images = self.folder / part.annotations, self.folder / part.images
        self._xml, self._pictures = Tree(self.annotations), Tree(self.images)
        self._xml_folder, self._image_folder = f"{self.annotations}/", f"{self.images}/"  # text: paths are slow to join

    @cached_property
    def list_file(self) -> Path | None:
        """Return the part's list of images, where VOC has it if there is none; ``None`` for a part without ``set``."""
        name = self.part.set
        if name is None:
            return None
        stems = dict.fromkeys((name, name.removesuffix(".txt")))
        places = [self.folder / place / f"{stem}.txt" for place in LISTS for stem in stems if stem]
        return next((path for path in places if os.path.isfile(path)), places[0])  # noqa: PTH113

    @property
    def source(self) -> Path:
        """Return the file or folder that names the images, for a message."""
        return self.list_file or self.annotations

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the images' names in order, each the path of an XML file in ``annotations`` without its suffix.

        A line that names no XML file is kept as it is. Raises ``OSError`` or ``UnicodeDecodeError``.
        """
        if self.list_file is None:
            return tuple(sorted(name[: -len(XML)] for name in self._listed_xml() if name.lower().endswith(XML)))
        return tuple(map(self._name, self._lines(self._list)))

    def xml_file(self, name: str) -> Path:
        """Return the annotation file of one image."""
        return Path(self.xml_path(name))

    def xml_path(self, name: str) -> str:
        """Return the path of the annotation file of one image."""
        return f"{self._xml_folder}{self._xml.find(f'{name}{XML}') or f'{name}{XML}'}"

    def has_xml(self, name: str) -> bool:
        """Return whether an image has an annotation file."""
        return self._xml.find(f"{name}{XML}") is not None

    def image_file(self, name: str, file_name: str | None) -> Path:
        """Return one image's file, see ``image_path``."""
        return Path(self.image_path(name, file_name))

    def image_path(self, name: str, file_name: str | None) -> str:
        """Return the path of one image's file: ``name`` with the suffix of ``file_name``, as the annotation gives it, else ``.jpg``.

        Where there is none, it is the one image of that name with another suffix, or the file that is called ``file_name``.
        """
        suffix = posixpath.splitext(file_name or "")[1]
        usual = f"{name}{suffix if suffix.lower() in SUFFIXES else '.jpg'}"
        if self._pictures.has(usual):
            return _tidy(self._image_folder + usual)
        found = set(self._same_stem(name)) or set(self._called(file_name))
        return _tidy(self._image_folder + (found.pop() if len(found) == 1 else usual))

    def has_image(self, path: str) -> bool:
        """Return whether a path that ``image_path`` returned exists."""
        return self._pictures.has(path.removeprefix(self._image_folder))

    def digest(self, seen: FilesDigest | None = None) -> str:
        """Return a digest of everything that the part is read from, but for the images; raises as ``names`` does.

        ``seen`` is a reader's record of these files: its digest is valid while they are unchanged.
        """
        paths = map(self.xml_path, self.names)
        if seen is not None and seen.state == state_of(self._named, paths):
            return seen.digest
        reader = DigestingReader()
        for name in self.names:
            reader.read(self.xml_path(name))
        return reader.seen(self._named).digest

    def seen_by(self, reader: DigestingReader) -> FilesDigest | None:
        """Return ``reader``'s record of the part, ``None`` unless it has read the XML files of all names in order."""
        try:
            return reader.seen(self._named) if reader.files == len(self.names) else None
        except (OSError, ValueError):
            return None

    def _listed_xml(self) -> Iterator[str]:
        return (path.name for path in self.annotations.iterdir())

    @cached_property
    def _list(self) -> bytes:
        return read_bytes(self.list_file, LARGEST_TEXT) if self.list_file is not None else b""

    @property
    def _named(self) -> bytes:
        """Return the text that names the images; raises as ``names`` does."""
        return "\n".join(self.names).encode() if self.list_file is None else self._list

    @staticmethod
    def _lines(content: bytes) -> Iterator[str]:
        for line in content.decode("utf-8-sig").replace("\r", "\n").split("\n"):
            if line.strip():
                yield line.strip()

    def _name(self, line: str) -> str:
        """Return the name that a line means: itself where its XML file exists, else the one that others write so."""
        if self._xml.has(f"{line}{XML}"):
            return line
        found = {hit[: -len(XML)] for name in self._variants(line) if (hit := self._xml.find(f"{name}{XML}"))}
        return found.pop() if len(found) == 1 else line

    def _variants(self, line: str) -> Iterator[str]:
        """Yield the possible meanings of a line: without a flag, a suffix, or its leading folders."""
        flagged = FLAGGED.fullmatch(line)
        for text in (line, flagged[1]) if flagged else (line,):
            path = text.replace("\\", "/")
            for folder in (self.annotations, self.images):
                for short in (path, *without_repeats(path, folder.absolute().as_posix())):
                    yield from (short, _without_suffix(short))

    def _same_stem(self, name: str) -> Iterator[str]:
        folder, _, stem = name.rpartition("/")
        for file in self._pictures.names(folder):
            path = PurePosixPath(file)
            if path.stem == stem and path.suffix.lower() in SUFFIXES:
                yield posixpath.join(folder, file)

    def _called(self, file_name: str | None) -> Iterator[str]:
        found = self._pictures.find(posixpath.basename((file_name or "").replace("\\", "/")))
        if found:
            yield found


def _tidy(path: str) -> str:
    """Return a path as pathlib writes it."""
    return str(Path(path)) if "//" in path or "./" in path else path


def _without_suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in (*SUFFIXES, XML) else name
