"""Write plain data as YAML that every parser reads back as the same data."""

import json
import re

from pydantic import JsonValue

PAIR = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")


def as_yaml(data: JsonValue, indent: int | None = 1) -> str:
    """Write plain data as JSON that is YAML too: of its escapes only surrogate pairs mean something else there."""
    text = json.dumps(data, indent=indent, allow_nan=False)
    return PAIR.sub(lambda pair: f"\\U{_code_point(pair[1], pair[2]):08x}", text)


def _code_point(high: str, low: str) -> int:
    return 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
