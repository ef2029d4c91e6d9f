"""Find the paper's printed figures that belong to a study's rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from orchestrator.core.errors import UserError
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.metric_names import AP, printed_metrics, title_of
from trainers.schema.foreign_json import parse_json
from trainers.schema.method import inherits
from trainers.schema.zoo import configs_dir

TAG = "paper"  # a tag of the study's own: TABLE or TABLE/GROUP
PREFIX = "paper_"  # of the names of the studies behind the paper's rows
HEADLINE = "mAP"  # the tables' name for what we call AP


@dataclass(frozen=True)
class Printed:
    """Hold the figures of one printed row: percent, by the titles of our columns; ``where`` names the table.

    ``headline`` is the title of the column that the table's AP belongs to: on Pascal VOC it is VOC's own.
    """

    where: str
    values: Mapping[str, float]
    headline: str

    @property
    def score(self) -> float | None:
        """Return the printed AP."""
        return self.values.get(self.headline)


def printed_for(plan: Plan, trial: PlannedTrial) -> Printed | None:
    """Return the row of the paper that a trial repeats, ``None`` where there is none or more than one.

    The study says which table it belongs to: by a tag ``paper: A1/gfl-r34`` under ``tracking.tags``, or by being one of
    the studies behind the paper's rows. Of that table's group the row of the trial's role and method is taken. A
    distilled student repeats it only where each searched setting of its method is at its default.
    Raises ``UserError`` for a tag that names no table or group.
    """
    found = [(table, row) for table, row in _group_of(plan) if _is_row_of(row, trial)]
    printed = [_printed(table, row) for table, row in found]
    if not printed or any(other.values != printed[0].values for other in printed[1:]):
        return None
    return printed[0]


def _printed(table: str, row: Mapping[str, Any]) -> Printed:
    metrics = printed_metrics(_tables()[table]["dataset"])
    ours = {HEADLINE if title == AP else title: title_of(metric) for title, metric in metrics.items()}
    return Printed(f"Table {table}", {ours[key]: row[key] for key in ours if key in row}, ours[HEADLINE])


def _group_of(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows that the study's trials may repeat, each with its table's name."""
    tag = plan.study.tracking.tags.get(TAG)
    if tag is not None:
        table, group = _tagged(tag)
        yield from ((table, row) for row in _rows(table, group))
        return
    own = plan.study.name.removeprefix(PREFIX)
    if own != plan.study.name:
        named = {(table, row["group"]) for table in _tables() for row in _rows(table) if row.get("study") == own}
        yield from ((table, row) for table, group in sorted(named) for row in _rows(table, group))


def _tagged(tag: str) -> tuple[str, str]:
    table, _, group = tag.partition("/")
    if table not in _tables() or not _rows(table, group):
        known = ", ".join(_tables())
        raise UserError(f"tracking.tags.{TAG}: the paper has no {tag}; say TABLE/GROUP, the tables are {known}")
    return table, group


def _rows(table: str, group: str = "") -> list[Mapping[str, Any]]:
    """Return a table's rows, or a group's with its teacher's, which some tables print once for all groups."""
    rows: list[Mapping[str, Any]] = _tables()[table]["rows"]
    found = [row for row in rows if not group or row["group"] == group]
    teachers = {row.get("teacher") for row in found}
    return found + [
        row for row in rows if row not in found and row["role"] == "teacher" and row["detector"] in teachers
    ]


def _is_row_of(row: Mapping[str, Any], trial: PlannedTrial) -> bool:
    method = trial.spec.method
    if trial.role == "teacher":
        return bool(row["role"] == "teacher")
    if method.kind == "none":
        return bool(row["role"] == "student")
    alike = row["role"] == "distilled" and row["method"] == method.kind
    return alike and bool(row.get("inherit", False)) == inherits(method) and _is_as_printed(trial)


def _is_as_printed(trial: PlannedTrial) -> bool:
    """Return whether every searched setting of the method is at its default.

    Settings that are not searched are trusted.
    """
    changed = set(trial.spec.method.model_dump(exclude={"kind", "inherit"}, exclude_defaults=True))
    searched = {key.removeprefix("method.").partition(".")[0] for key in trial.params if key.startswith("method.")}
    whole = trial.params.get("method")
    return not changed & (searched | set(whole if isinstance(whole, dict) else ()))


@cache
def _tables() -> dict[str, Any]:
    content: dict[str, Any] = parse_json((configs_dir() / "paper" / "tables.json").read_text(encoding="utf-8"))
    return {name: table for name, table in content.items() if isinstance(table, dict) and "rows" in table}
