"""Read one YAML text strictly: plain data only, with the line of every key and all problems at once.

A study may come from a stranger. Tags, which could name Python objects, are refused; so are anchors and aliases, whose
expansion grows exponentially; size, depth and number of values are bounded while the text is read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.reader import ReaderError

from orchestrator.study.location import KeyPath, Location, Problem
from orchestrator.study.scalars import Scalar, plain
from orchestrator.study.wording import describe, did_you_mean, shorten
from trainers.schema.user_file import UnfitFile, read_bytes

A_STUDY = "a study is a mapping of sections (name:, dataset:, ...)"
MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 20_000
MAX_PROBLEMS = 100
MAX_LINE = 100_000  # characters; the parser is quadratic in the length of some tokens


@dataclass(frozen=True, slots=True)
class Document:
    """Hold a parsed text; after a problem that ended the reading, ``complete`` is false and data is a fragment."""

    data: JsonValue
    lines: dict[KeyPath, Location]
    problems: list[Problem]
    complete: bool


class Refused(Exception):
    """Report a problem after which a text cannot be read on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_file(path: Path, name: str, rule: str = A_STUDY) -> Document:
    """Read the file ``path``, called ``name`` in messages; it must hold one mapping, as ``rule`` describes."""
    try:
        text = _text(path, name)
    except Refused as refused:
        return Document(None, {(): Location(name, None)}, [refused.problem], complete=False)
    document = read_text(text, lambda line: Location(name, line))
    if not document.complete or isinstance(document.data, dict):
        return document
    found = "the file is empty" if document.data is None else f"got {describe(document.data)}"
    problem = Problem((), f"{rule}: {found}")
    return Document(None, document.lines, [*document.problems, problem], complete=False)


def is_text(text: str) -> bool:
    """Return whether JSON and file names can hold ``text``."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def read_text(text: str, locate: Callable[[int], Location]) -> Document:
    """Read a YAML text that holds one value; ``locate`` turns a line number (from 1) into a location."""
    builder = _Builder(locate, lines={(): locate(1)})
    try:
        _check_lines(text, locate)
        for event in _events(text, locate):
            builder.feed(event)
    except Refused as refused:
        return Document(builder.root, builder.lines, [*builder.problems, refused.problem], complete=False)
    return Document(builder.root, builder.lines, builder.problems, complete=True)


def _text(path: Path, name: str) -> str:
    """Return the file's text; raise ``Refused`` when it has none that can be used."""
    try:
        if path.is_dir():
            raise Refused(_about(name, "is a folder: stillhouse init FOLDER writes a study of the data in one"))
        content = read_bytes(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise Refused(_about(name, f"there is no such file{_near(path)}")) from error
    except UnfitFile as error:
        raise Refused(_about(name, str(error.strerror))) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(_about(name, f"cannot be read: {reason}")) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refused(Problem((), "not valid UTF-8 text", location=Location(name, line))) from error


def _near(path: Path) -> str:
    """Return a hint at the study in the same folder whose name is most like that of a file that is not there."""
    try:
        found = sorted(one.name for one in path.parent.iterdir() if one.suffix in (".yaml", ".yml"))
    except OSError:
        return ""
    return did_you_mean(path.name, found)


def _about(name: str, message: str) -> Problem:
    return Problem((), message, location=Location(name, None))


def _check_lines(text: str, locate: Callable[[int], Location]) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            message = f"a line of {len(line)} characters is more than a study may have ({MAX_LINE})"
            raise Refused(Problem((), message, location=locate(number)))


def _events(text: str, locate: Callable[[int], Location]) -> Iterator[Event]:
    """Yield the parser's events; raise ``Refused`` for text that is no YAML, for any error of the parser."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise Refused(Problem((), f"not valid YAML: {_reason(error)}", location=locate(line))) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"not valid YAML: character U+{ord(text[error.position]):04X} is not allowed"
        raise Refused(Problem((), message, location=locate(line))) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The parser lets some texts fall through to Python itself ("\UFFFFFFFF" overflows chr): still no YAML.
        raise Refused(Problem((), f"not valid YAML: {error}", location=locate(1))) from error


def _reason(error: MarkedYAMLError) -> str:
    reason = str(error.problem or error.context or "syntax error")
    return f"{reason} (indent with spaces)" if "'\\t'" in reason else reason


@dataclass(slots=True)
class _Frame:
    """Hold a mapping or list that is being filled."""

    node: dict[str, JsonValue] | list[JsonValue]
    path: KeyPath
    key: str | None = None

    def next_path(self) -> KeyPath:
        """Return the path of the value that comes next."""
        if isinstance(self.node, list):
            return (*self.path, len(self.node))
        return self.path if self.key is None else (*self.path, self.key)


@dataclass(slots=True)
class _Builder:
    """Turn events into plain data without recursion, noting lines and problems."""

    locate: Callable[[int], Location]
    lines: dict[KeyPath, Location]
    root: JsonValue = None
    problems: list[Problem] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    documents: int = 0
    values: int = 0

    def feed(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self._start(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.frames.pop()
        elif isinstance(event, NodeEvent):
            self._check(event)
            if self._expects_key():
                self._take_key(event)
            else:
                self._take_value(event)

    def _start(self, event: Event) -> None:
        self.documents += 1
        if self.documents > 1:
            raise Refused(Problem((), "holds a second document (---): one file is one study", location=self._at(event)))

    def _expects_key(self) -> bool:
        return bool(self.frames) and isinstance(self.frames[-1].node, dict) and self.frames[-1].key is None

    def _check(self, event: NodeEvent) -> None:
        """Note content that no value may carry."""
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._note(event, f"tag {shorten(str(tag))} is not allowed: a study is plain data")
        if isinstance(event, AliasEvent):
            self._note(event, f"alias *{event.anchor} is not allowed: repeat the value, or share it through base:")
        elif event.anchor is not None:
            self._note(event, f"anchor &{event.anchor} is not allowed: repeat the value, or share it through base:")

    def _take_key(self, event: NodeEvent) -> None:
        frame = self.frames[-1]
        if not isinstance(event, ScalarEvent):
            raise Refused(Problem(frame.path, "a key must be text, not a list or mapping", location=self._at(event)))
        frame.key = self._checked(event.value)
        path = frame.next_path()
        self._check_key(event, path)
        self.lines[path] = self._at(event)

    def _check_key(self, event: ScalarEvent, path: KeyPath) -> None:
        node = self.frames[-1].node
        if event.value in node:
            self._note(event, f"key given twice, first on line {self.lines[path].line}", hides=False)
        if event.style is not None:
            return
        if event.value == "<<":
            self._note(event, "merge keys are not allowed: repeat the values, or share them through base:")
        elif not isinstance(self._scalar(event), str):
            self._note(event, f"a key must be text: write '{event.value}' in quotes")

    def _take_value(self, event: NodeEvent) -> None:
        path = self.frames[-1].next_path() if self.frames else ()
        self.lines.setdefault(path, self._at(event))
        value = self._value(event)
        self._put(value)
        if isinstance(value, dict | list):
            self.frames.append(_Frame(value, path))
        self._check_limits(event)

    def _check_limits(self, event: Event) -> None:
        """Stop before a hostile text costs more than a moment."""
        self.values += 1
        for number, most, what in (
            (len(self.frames), MAX_DEPTH, "nested deeper than {} levels"),
            (self.values, MAX_VALUES, "holds more than {} values"),
            (len(self.problems), MAX_PROBLEMS, "has more than {} problems"),
        ):
            if number > most:
                raise Refused(Problem((), what.format(most), location=self._at(event)))

    def _value(self, event: NodeEvent) -> JsonValue:
        if isinstance(event, CollectionStartEvent):
            return {} if isinstance(event, MappingStartEvent) else []
        return self._scalar(event) if isinstance(event, ScalarEvent) else None

    def _scalar(self, event: ScalarEvent) -> Scalar:
        if event.style is not None:
            return self._checked(event.value)
        try:
            return plain(self._checked(event.value))
        except ValueError as error:
            self._note(event, str(error))
            return None

    def _checked(self, text: str) -> str:
        """Return text without characters that escapes can smuggle in and that neither JSON nor a file name can hold."""
        if not is_text(text):
            self.problems.append(Problem(self._path(), "holds a character that is not text", hides=True))
            return ""
        return text

    def _put(self, value: JsonValue) -> None:
        if not self.frames:
            self.root = value
            return
        frame = self.frames[-1]
        if isinstance(frame.node, list):
            frame.node.append(value)
        elif frame.key is not None:
            frame.node[frame.key] = value
            frame.key = None

    def _note(self, event: Event, message: str, *, hides: bool = True) -> None:
        self.problems.append(Problem(self._path(), message, location=self._at(event), hides=hides))

    def _path(self) -> KeyPath:
        return self.frames[-1].next_path() if self.frames else ()

    def _at(self, event: Event) -> Location:
        return self.locate(event.start_mark.line + 1)
