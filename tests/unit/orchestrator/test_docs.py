"""The documentation says what the code does: every key, command and option stands in it, and its links lead somewhere."""

import argparse
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from orchestrator.cli import main, parser
from orchestrator.study import schema
from orchestrator.study.fields import alternatives_of, is_section
from tests.reference import ONCE, PLACES, chapters, own_keys, rows
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.study_text import VALID, write
from trainers.schema.base import Section

ROOT = Path(__file__).parents[3]
STUDIES = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
GENERATED = {"node_modules", "stillhouse-runs", "build", "dist"}

FIELDS = [(section, key) for section in PLACES | ONCE for key in section.model_fields if key in own_keys(section)]
LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "maxProperties")


def reachable(types: tuple[Any, ...]) -> Iterator[type[Section]]:
    """Yield every section that a study can hold, whatever the kinds."""
    for item in types:
        if is_section(item):
            yield item
            for field in item.model_fields.values():
                yield from reachable(alternatives_of(field.annotation))
        else:
            yield from reachable(tuple(part for part in getattr(item, "__args__", ()) if part is not Ellipsis))


def written(value: Any) -> str:
    """Write a default as a study would."""
    if isinstance(value, BaseModel):
        return written(value.model_dump(mode="json", exclude_unset=True))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value) or "''"


def said_in_schema(part: Any) -> Iterator[str]:
    """Yield the choices and limits that a field's JSON schema names, as the documentation would write them."""
    if isinstance(part, list):
        for item in part:
            yield from said_in_schema(item)
    elif isinstance(part, dict):
        yield from (written(part[name]) for name in (*LIMITS, "const") if name in part)
        yield from map(written, part.get("enum", ()))
        for key, item in part.items():
            if key not in ("default", "enum", "const"):
                yield from said_in_schema(item)


def mentions(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(word)}(?![\w]|\.\d)", text) is not None


@pytest.mark.parametrize(
    ("word", "found"), [("10", False), ("1000", True), ("0.05", True), ("0", False), ("coco", True)]
)
def test_mentions_means_whole_words(word, found):
    assert mentions("1000 or 0.05 (coco), coco80.", word) is found


def test_every_section_of_a_study_has_its_place_in_the_reference():
    assert set(reachable((schema.StudySpec,))) == set(PLACES)


@pytest.mark.parametrize(("section", "key"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_reference_gives_key_default_choices_and_limits(section, key):
    row = rows(chapters(STUDIES)[(PLACES | ONCE)[section]])[key]
    field = section.model_fields[key]
    default = "required" if field.default is PydanticUndefined else f"`{written(field.default)}`"
    assert default in row[2]
    stated = set(said_in_schema(section.model_json_schema()["properties"][key]))
    assert [word for word in stated if not mentions(" ".join(row), word.removesuffix(".0"))] == []


def test_reference_gives_no_key_that_the_schema_lacks():
    known: dict[str, set[str]] = {}
    for section, heading in (PLACES | ONCE).items():
        known.setdefault(heading, set()).update(own_keys(section))
    tables = {heading: set(rows(chapters(STUDIES)[heading])) for heading in known}
    tables["bckd and pkd+bckd"] -= {"official", "paper", "algorithm-a1"}  # the table of variants
    assert tables == known


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    [action] = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return action.choices


@pytest.mark.parametrize("name", commands())
def test_commands_and_their_options_are_documented(name):
    chapter = chapters(COMMANDS)[f"stillhouse {name}"]
    options = {option for action in commands()[name]._actions for option in action.option_strings}
    documented = set(re.findall(r"--[a-z][a-z-]*", chapter))
    assert documented == {option for option in options if option.startswith("--")} - {"--help"}
    assert f"stillhouse {name}" in README


def test_the_keys_of_plan_json_are_those_of_the_reference(tmp_path, capsys):
    study = write(tmp_path, VALID)
    rates = (
        "--set",
        "scaling={seconds_per_step: 36, cost_per_gpu_hour: 2}",
        "--set",
        "search={cohort: 2, seeds: [0, 1], max_trials: 1}",
    )
    plan = runner(capsys)("plan", study, "--store", tmp_path / "store", "--json", *rates).json
    section = COMMANDS.split("\n## stillhouse plan\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?:each of )?`?([\w ]+)`? \| (`.*`) \|$", section, re.MULTILINE)
    documented = {part: re.findall(r"`(\w+)`", keys) for part, keys in rows}
    one = plan["trials"][0]
    real = {
        "the object": plan,
        "trials": one,
        "resources": one["resources"],
        "estimate": one["estimate"],
        "forecast": next(iter(plan["forecast"].values())),
        "totals": plan["totals"],
        "hours_left": plan["totals"]["hours_left"],
        "findings": plan["findings"][0],
    }
    assert {part: sorted(keys) for part, keys in documented.items()} == {p: sorted(keys) for p, keys in real.items()}


def test_readme_and_reference_name_no_option_that_does_not_exist():
    parsers = [parser(), *commands().values()]
    known = {option for one in parsers for action in one._actions for option in action.option_strings}
    lines = [line for text in (README, COMMANDS) for line in text.splitlines() if "stillhouse " in line]
    used = {option for line in lines for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", line)}
    refused = set(re.findall(r"unknown option (--[a-z-]+)", COMMANDS))  # the page shows the answer
    assert used - refused <= known


def test_readme_shows_what_check_says_about_the_mistyped_study(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    [shown] = re.findall(r"^\$ stillhouse check docs/mistyped\.yaml\n(.*?)^```", README, flags=re.M | re.S)
    assert main(["check", "docs/mistyped.yaml"]) == 2
    assert capsys.readouterr().err == shown


def documented_studies() -> list[str]:
    """Return the whole studies that the README gives for copying."""
    return [block for block in re.findall(r"^```yaml\n(.*?)^```", README, flags=re.M | re.S) if "\nstudent:" in block]


def test_readme_studies_are_right(tmp_path, capsys):
    assert documented_studies()
    for text in documented_studies():
        (tmp_path / "study.yaml").write_text(text)
        assert main(["check", str(tmp_path / "study.yaml")]) == 0, capsys.readouterr().err


class Targets(HTMLParser):
    """Collect what HTML inside Markdown points to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src", "srcset") and value]


def targets_in(text: str) -> list[str]:
    """Return the targets of all links and images of a Markdown text, code left out."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.M | re.S)
    html = Targets()
    html.feed(prose)
    return [*re.findall(r"\]\(([^)\s]+)[^)]*\)", prose), *html.found]


def markdown_files() -> list[Path]:
    """Return the project's Markdown files: no hidden folder (environments, caches), nothing generated."""
    files = [path.relative_to(ROOT) for path in ROOT.rglob("*.md")]
    return sorted(f for f in files if not any(part[0] == "." or part in GENERATED for part in f.parts))


def anchors(text: str) -> set[str]:
    """Return the anchors that a Markdown file's headings get."""
    headings = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in chapters(text)]
    return {heading.replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", markdown_files(), ids=str)
def test_relative_links_lead_somewhere(file):
    dead = []
    for target in targets_in((ROOT / file).read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = ROOT / file.parent / name if name else ROOT / file
        if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
            dead.append(target)
    assert dead == []


def test_link_finder_sees_markdown_html_and_headings():
    text = '# A b-c: d\n[x](y.md#z "t") [x](y.md) <img src="p.svg"> `[no](code)`\n```\n# no\n[no](code)\n```\n'
    assert targets_in(text) == ["y.md#z", "y.md", "p.svg"]
    assert anchors(text) == {"a-b-c-d"}


INPUTS = re.findall(
    r"`(tests/[\w/.]+)(?: -k \"?([\w ]+)\"?)?`", (ROOT / "docs" / "inputs.md").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("path", "words"), INPUTS)
def test_each_odd_input_names_tests_that_exist(path, words):
    place = ROOT / path
    files = sorted(place.glob("*.py")) if place.is_dir() else [place]
    tests = " ".join(
        re.findall(r"^def (\w+)", "\n".join(file.read_text(encoding="utf-8") for file in files), re.MULTILINE)
    )
    assert all(word in tests for word in words.split() if word != "or")
    assert "test_" in tests


def test_the_table_of_common_options_names_the_commands_that_have_them():
    found = {
        name: {word for action in command._actions for word in action.option_strings or str(action.metavar).split("|")}
        for name, command in commands().items()
    }
    table = COMMANDS.split("\n## Options of several commands\n")[1].strip().split("\n\n")[0]
    rows = [row.split(" | ") for row in table.splitlines()[2:]]
    assert len(rows) > 5
    for option, named, *_ in rows:
        name = option.strip("| `").split()[0]
        having = [command for command, options in found.items() if name in options]
        listed = named.removeprefix("all but ").split(", ")
        if named == "all":
            listed = list(found)
        elif named.startswith("all but "):
            assert set(listed) <= found.keys(), name
            listed = [command for command in found if command not in listed]
        assert sorted(listed) == sorted(having), name
