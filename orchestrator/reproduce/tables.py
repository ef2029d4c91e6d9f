"""Read the paper's tables, the studies that reproduce them, other suites and switches from ``configs/paper``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.core.errors import UserError
from orchestrator.study.wording import did_you_mean
from trainers.schema.foreign_json import parse_json
from trainers.schema.zoo import configs_dir, find_checkpoint

FOLDERS = ("rows", "alternatives", "ablations")
METRICS = ("mAP", "AP50", "AP75", "APs", "APm", "APl")  # as the tables call them
ALL = "all"


@dataclass(frozen=True)
class TableRow:
    """Hold one row of a table: its printed numbers, in percent by metric, and the study to compare with them.

    Either ``study`` names the study that trains the row, or ``weights`` the public checkpoint that is evaluated.
    ``public`` is a public checkpoint of the row's own student: its figure shows whether data and evaluation are right.
    """

    table: str
    label: str
    study: str = ""
    weights: str = ""
    public: str = ""
    printed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Hypothesis:
    """Claim that one study ends above another."""

    better: str
    than: str


@dataclass(frozen=True)
class Suite:
    """Hold a suite: a table of the paper, or a list of studies."""

    name: str
    title: str
    rows: tuple[TableRow, ...]
    hypotheses: tuple[Hypothesis, ...] = ()


@dataclass(frozen=True)
class PaperOption:
    """Hold one open question: ``choices`` maps each alternative to the studies that take the place of others."""

    name: str
    question: str
    default: str
    evidence: str
    choices: Mapping[str, Mapping[str, str]]


def paper_dir() -> Path:
    """Return the folder of the paper's studies."""
    return configs_dir() / "paper"


def study_file(name: str) -> Path | None:
    """Return the file of a study of the paper, ``None`` when there is none of this name."""
    files = (paper_dir() / folder / f"{name}.yaml" for folder in FOLDERS)
    return next((file for file in files if name and "/" not in name and file.is_file()), None)


def read_yaml(name: str) -> dict[str, Any]:
    """Return one of the data files of ``configs/paper``."""
    from ruamel.yaml import YAML

    content: dict[str, Any] = YAML(typ="safe", pure=True).load(paper_dir() / name)
    return content


@cache
def tables() -> dict[str, Suite]:
    """Return the paper's tables by name, in its order."""
    content = parse_json((paper_dir() / "tables.json").read_text(encoding="utf-8"))
    return {name: Suite(name, table["title"], _rows(name, table["rows"])) for name, table in content.items()}


@cache
def other_suites() -> dict[str, Suite]:
    """Return the suites that are no table of the paper."""
    return {name: _suite(name, content) for name, content in read_yaml("suites.yaml").items()}


@cache
def paper_options() -> dict[str, PaperOption]:
    """Return the paper's open questions by name."""
    return {name: PaperOption(name=name, **content) for name, content in read_yaml("switches.yaml").items()}


def suites_for(target: str) -> tuple[Suite, ...]:
    """Return the suites of a command-line target: a table, another suite, one study or checkpoint, or all tables."""
    if target == ALL:
        return tuple(tables().values())
    known = tables() | other_suites()
    by_name = {name.lower(): suite for name, suite in known.items()}
    if target.lower() in by_name:
        return (by_name[target.lower()],)
    rows = tuple(row for suite in known.values() for row in suite.rows if target in (row.study, row.weights))
    if rows or study_file(target) or find_checkpoint(target):
        return (Suite(target, f"the row {target} alone", _distinct(rows) or (_lone_row(target),)),)
    names = [*known, ALL, *studies()]
    raise UserError(
        f"no table, suite or row is named {target}{did_you_mean(target, names)}; tables: {', '.join(known)}"
    )


def with_options(suite: Suite, chosen: Mapping[str, str]) -> Suite:
    """Return the suite with the alternatives of these options; a row that several of them replace takes the last."""
    places = {row: other for name, choice in chosen.items() for row, other in _choice(name, choice).items()}
    rows = tuple(replace(row, study=places.get(row.study, row.study)) for row in suite.rows)
    hypotheses = tuple(Hypothesis(places.get(c.better, c.better), places.get(c.than, c.than)) for c in suite.hypotheses)
    return replace(suite, rows=rows, hypotheses=hypotheses)


def studies() -> tuple[str, ...]:
    """Return the name of every study of the paper."""
    return tuple(sorted(file.stem for folder in FOLDERS for file in (paper_dir() / folder).glob("*.yaml")))


def _choice(name: str, choice: str) -> Mapping[str, str]:
    option = paper_options().get(name)
    if option is None:
        raise UserError(f"--switch {name}: no such switch{did_you_mean(name, list(paper_options()))}")
    if choice == option.default:
        return {}
    if choice not in option.choices:
        words = ", ".join([option.default, *option.choices])
        raise UserError(f"--switch {name}={choice}: must be one of {words}")
    return option.choices[choice]


def _rows(table: str, content: list[dict[str, Any]]) -> tuple[TableRow, ...]:
    return tuple(_row(table, row) for row in content)


def _row(table: str, row: Mapping[str, Any]) -> TableRow:
    words = [row["detector"], row["method"] if row["role"] == "distilled" else row["role"]]
    if "teacher" in row:
        words.append(f"from {row['teacher']}")
    if row.get("inherit"):
        words.append("inheriting")
    return TableRow(
        table=table,
        label=" ".join(words),
        study=row.get("study", ""),
        weights=row.get("weights", ""),
        public=row.get("public", ""),
        printed={metric: float(row[metric]) for metric in METRICS if metric in row},
    )


def _suite(name: str, content: Mapping[str, Any]) -> Suite:
    rows = tuple(TableRow(table=name, label=study, study=study) for study in content["studies"])
    hypotheses = tuple(Hypothesis(**hypothesis) for hypothesis in content.get("claims", ()))
    return Suite(name, content["title"], rows, hypotheses)


def _lone_row(target: str) -> TableRow:
    """Return the row of a study that no suite names; an alternative is compared with the row that it replaces."""
    if study_file(target) is None:
        return TableRow(table="", label=target, weights=target)
    for row in _replaced(target):
        return replace(row, study=target)
    return TableRow(table="", label=target, study=target)


def _replaced(study: str) -> Iterator[TableRow]:
    maps = [places for option in paper_options().values() for places in option.choices.values()]
    replaced = {row for places in maps for row, other in places.items() if other == study}
    yield from (row for table in tables().values() for row in table.rows if row.study in replaced)


def _distinct(rows: tuple[TableRow, ...]) -> tuple[TableRow, ...]:
    """Remove duplicate rows."""
    return tuple({(row.study, row.weights, tuple(row.printed.items())): row for row in reversed(rows)}.values())[::-1]
