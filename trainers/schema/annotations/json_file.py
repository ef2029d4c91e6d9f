"""Read a JSON file as the training will, or say in a phrase why it cannot."""

import codecs
import json
from pathlib import Path
from typing import Any

from trainers.schema.annotations.reason import reason

MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class JsonFileError(ValueError):
    """Report a file that is not JSON; the message is one phrase without the file's name."""


def read_json(path: Path) -> Any:
    """Return the content of ``path``; raises ``JsonFileError``."""
    try:
        content = path.read_bytes()
        if content.startswith(MARKS):
            raise JsonFileError("begins with a byte order mark, which the training cannot read: save it as plain UTF-8")
        if not content or content.isspace():
            raise JsonFileError("is empty")
        return json.loads(content.decode("utf-8"))
    except JsonFileError:
        raise
    except UnicodeDecodeError as error:
        raise JsonFileError(f"is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise JsonFileError("is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise JsonFileError(f"cannot be read as JSON: {reason(error)}") from error
