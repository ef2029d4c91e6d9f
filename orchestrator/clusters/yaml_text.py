"""Write plain data as YAML for files that others read: block style, texts of several lines as blocks."""

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import LiteralScalarString


def yaml_text(*documents: Any, comment: str = "") -> str:
    """Return the documents as one YAML stream, below ``comment``."""
    writer = YAML()
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.add_representer(str, _text)
    writer.representer.ignore_aliases = lambda _: True
    stream = io.StringIO()
    writer.dump_all(map(_plain, documents), stream)
    return "".join(f"# {line}\n".replace("# \n", "#\n") for line in comment.splitlines()) + stream.getvalue()


def _plain(data: Any) -> Any:
    """Return a copy of lists and mappings only, so that equal parts are written out twice."""
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(value) for value in data] if isinstance(data, list | tuple) else data


def _text(representer: RoundTripRepresenter, text: str) -> Any:
    if "\n" in text:
        return representer.represent_literal_scalarstring(LiteralScalarString(text))
    return representer.represent_str(text)
