"""Read YAML that others wrote, other than studies, within bounds of depth, length and time."""

import re
from typing import Any

from trainers.schema.error_text import first_line

MAX_DEPTH, MAX_VALUES = 32, 20_000
MAX_LINE = 100_000  # characters; the parser is quadratic in the length of some tokens
LONG_NUMBER, MAX_LONG_NUMBERS = re.compile(r"[-+]?\d[\w.]{18,}"), 100  # any amount of large keys can have one hash


class ForeignYamlError(ValueError):
    """Report a text that is no YAML, or more than a file of settings needs; the message is a phrase."""


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text of plain data; raises ``ForeignYamlError``.

    Aliases are refused: their expansion grows exponentially.
    """
    from ruamel.yaml import YAML  # 40 ms that only a file in YAML spends
    from ruamel.yaml.error import YAMLError

    _require_short_lines(text)
    try:
        _require_bounds(YAML(typ="safe", pure=True).parse(text))
        return YAML(typ="safe", pure=True).load(text)
    except ForeignYamlError:
        raise
    except (YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # The parser lets some texts fall through to Python itself ("\\UFFFFFFFF" overflows chr): still no YAML.
        raise ForeignYamlError(f"is no YAML: {first_line(error)[:200]}") from error


def _require_short_lines(text: str) -> None:
    longest = max(map(len, text.splitlines()), default=0)
    if longest > MAX_LINE:
        raise ForeignYamlError(f"has a line of {longest} characters, more than {MAX_LINE}")


def _require_bounds(events: Any) -> None:
    """Refuse a text before its values are made, while it is parsed."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent, ScalarEvent

    depth = values = numbers = 0
    for event in events:
        values += isinstance(event, NodeEvent)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, ScalarEvent):
            numbers += LONG_NUMBER.fullmatch(event.value) is not None
        if isinstance(event, AliasEvent):
            raise ForeignYamlError(f"has the alias *{str(event.anchor)[:40]}: repeat the value")
        if depth > MAX_DEPTH:
            raise ForeignYamlError(f"is nested more than {MAX_DEPTH} levels deep")
        if values > MAX_VALUES:
            raise ForeignYamlError(f"has more than {MAX_VALUES} values")
        if numbers > MAX_LONG_NUMBERS:
            raise ForeignYamlError(f"has more than {MAX_LONG_NUMBERS} numbers of 19 digits or more")
