"""YAML is read by the rules of YAML 1.2, and a hostile text is refused before it costs anything."""

import os
from pathlib import Path

import pytest

from orchestrator.study.document import MAX_BYTES, Document, read_file, read_text
from orchestrator.study.location import Location

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]\n" for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def read(text: str) -> Document:
    return read_text(text, lambda line: Location("x.yaml", line))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 0.0001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-2.", -2.0),
        ("010", 10),
        ("-7", -7),
        ("0o17", 15),
        ("0xFF", 255),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"\\u00e9"', "é"),
        ("2024-01-01", "2024-01-01"),
        ("mmdet::a/b.py", "mmdet::a/b.py"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    document = read(text)
    assert document.problems == []
    assert document.data == value
    assert type(document.data) is type(value)


def test_directive_does_not_bring_yaml_1_1_back() -> None:
    assert read("%YAML 1.1\n---\na: on").data == {"a": "on"}


def test_every_value_has_its_line() -> None:
    lines = read("a:\n  b: 1\n  c:\n  - x\n  - y: 2\n").lines
    assert {path: at.line for path, at in lines.items()} == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "y"): 5,
    }


def test_all_problems_are_reported_at_once() -> None:
    text = "a: !!python/name:os.system x\na: &x 1\nb: *x\n3: .nan\n<<: 1\n"
    assert [(problem.location.line, problem.path) for problem in read(text).problems if problem.location] == [
        (1, ("a",)),
        (2, ("a",)),
        (2, ("a",)),
        (3, ("b",)),
        (4, ("3",)),
        (4, ("3",)),
        (5, ("<<",)),
    ]


def test_alias_bomb_stays_small() -> None:
    document = read(BOMB)
    assert len(document.lines) < 200
    assert all("not allowed" in problem.message for problem in document.problems)


HUGE = [
    "[" * 99_999,
    "- " * 49_999,
    "!" * 1_000_000,
    "[a,\n" + "a,\n" * 300_000,
    "k: 1\n" * 200_000,
    "a: 1" + "0" * 99_000,
]


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
def test_huge_text_is_refused_at_once(text: str) -> None:
    assert read(text).problems


@pytest.mark.parametrize(
    "text", ['"\\UFFFFFFFF"', '"\\ud800"', "%YAML 9\n---\na", "a: 'b", "@a", "a: b: c", "- a\nb: c"]
)
def test_text_that_is_no_yaml_is_a_problem(text: str) -> None:
    assert read(text).problems


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        (b"", "f:1", "the file is empty"),
        (b"# nothing\n", "f:1", "the file is empty"),
        (b"- a\n", "f:1", "got a list of 1"),
        (b"a: 1\nb: \xff\n", "f:2", "not valid UTF-8"),
        (b"#" * (MAX_BYTES + 1), "f", f"{MAX_BYTES + 1} bytes, more than"),
    ],
)
def test_file_that_is_no_study(content: bytes, where: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    document = read_file(path, "f")
    assert not document.complete
    assert [str(problem.location or document.lines[problem.path]) for problem in document.problems] == [where]
    assert says in document.problems[0].message


def test_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes("\ufeffa: 1\r\nb: 2\r\n".encode())
    assert read_file(path, "f").data == {"a": 1, "b": 2}


def test_folder_and_missing_file_are_problems(tmp_path: Path) -> None:
    assert "is a folder: stillhouse init" in read_file(tmp_path, "f").problems[0].message
    assert [problem.message for problem in read_file(Path(os.devnull), "f").problems] == ["is a device, not a file"]
    assert read_file(tmp_path / "none", "f").problems[0].message == "there is no such file"
    (tmp_path / "study.yaml").touch()
    assert read_file(tmp_path / "study.yml", "f").problems[0].message.endswith("file (did you mean study.yaml?)")
    assert read_file(Path("a\0b"), "f").problems
