"""Find the files of a folder in Pascal VOC's layout."""

from collections.abc import Iterator
from pathlib import Path, PurePath

from trainers.spec.dataset import VocPart

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def set_file(root: Path, part: VocPart) -> Path:
    """Return the list of the part's images, one name without suffix a line."""
    return root / part.folder / "ImageSets" / "Main" / f"{part.set}.txt"


def names_in(root: Path, part: VocPart) -> list[str]:
    """Return the names of a part's images in the order of its list; raises ``OSError`` or ``UnicodeDecodeError``."""
    lines = set_file(root, part).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def xml_file(root: Path, part: VocPart, name: str) -> Path:
    """Return the annotation file of one image."""
    return root / part.folder / part.annotations / f"{name}.xml"


def image_file(root: Path, part: VocPart, name: str, file_name: str | None) -> Path:
    """Return one image's file: its suffix is that of ``file_name``, as the annotation gives it, else ``.jpg``."""
    suffix = PurePath(file_name or "").suffix
    return root / part.folder / part.images / f"{name}{suffix if suffix.lower() in SUFFIXES else '.jpg'}"


def xml_files(root: Path, parts: tuple[VocPart, ...]) -> Iterator[Path]:
    """Yield the annotation files of all parts in order; raises ``OSError`` or ``UnicodeDecodeError``."""
    for part in parts:
        yield from (xml_file(root, part, name) for name in names_in(root, part))
