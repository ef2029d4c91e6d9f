"""Read the class names of a YOLO dataset from its YAML file."""

from pathlib import Path
from typing import Any

from trainers.schema.foreign_yaml import ForeignYamlError, parse_yaml
from trainers.schema.user_file import read_text

LARGEST = 2**20  # bytes


class NamesError(ValueError):
    """Report a file without usable names; the message is one phrase without the file's name."""


def read_names(path: Path) -> dict[int, str]:
    """Return the class names by number; a text file has one a line. Raises ``NamesError``."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return dict(enumerate(_lines(path)))
    content = read_data(path)
    names = content.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise NamesError("has no names: they are a list, or a mapping from number to name")
    if not all(isinstance(number, int) and isinstance(name, str) for number, name in names.items()):
        raise NamesError("has names that are no text, or numbers that are none: put names in quotes")
    return dict(sorted(names.items()))


def read_data(path: Path) -> dict[str, Any]:
    """Return the content of a dataset's YAML file; raises ``NamesError``."""
    try:
        content = parse_yaml(_text(path))
    except ForeignYamlError as error:
        raise NamesError(str(error)) from error
    if not isinstance(content, dict):
        raise NamesError("holds no mapping")
    return content


def _lines(path: Path) -> list[str]:
    found = [line.strip() for line in _text(path).splitlines() if line.strip()]
    if not found:
        raise NamesError("names no class")
    return found


def _text(path: Path) -> str:
    try:
        return read_text(path, LARGEST)
    except OSError as error:
        raise NamesError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NamesError("is no text") from error
