"""Find the paper's printed row for a trial that was made as the paper made it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dashboards.run_record import RunRecord
from dashboards.schema import PaperCell
from orchestrator.results.metric_names import AP, COCO_COLUMNS, printed_beside
from orchestrator.results.sample import Sample
from orchestrator.study.shipped import SHIPPED, shipped_file
from trainers.schema.foreign_json import parse_json

TABLES = f"{SHIPPED}paper/tables.json"
COLUMNS = {"mAP": AP} | {title: title for title in COCO_COLUMNS}  # what the tables print, by our titles
SCHEDULES = {"12": "1x", "24": "2x"}
CLASSES = {"coco": "coco80", "voc": "voc20"}
ALPHAS = {"bckd": (1.0, 4.0), "pkd+bckd": (0.25, 2.0)}  # the paper's, by method


class Paper:
    """Hold the paper's tables. A trial matches a row of its data set, detector, method, schedule and teacher.

    Settings that a study searches (the alphas) do not count: the paper's row is then the goal of the search.
    """

    def __init__(self, cells: list[PaperCell], data: Mapping[str, str]) -> None:
        self.cells = cells
        self._data = data  # of each cell, by id: ``coco`` or ``voc``

    def cell_of(self, trial: RunRecord) -> PaperCell | None:
        """Return the first printed row that the trial repeats, if any."""
        params = trial.run.params
        kind = params.get("dataset.kind", "")
        if kind not in CLASSES or params.get("dataset.classes") != CLASSES[kind]:
            return None
        return next((cell for cell in self.cells if self._data[cell["id"]] == kind and _matches(cell, trial)), None)

    def difference(self, cell: PaperCell, metric: str, measured: Mapping[str, Sample]) -> float | None:
        """Return a row's mean minus the printed value of ``metric``, as a fraction.

        On Pascal VOC that is VOC's own AP.
        """
        beside = printed_beside(metric, self._data[cell["id"]])
        if beside is None or beside[0] not in cell["values"] or beside[1] not in measured:
            return None
        return measured[beside[1]].mean - cell["values"][beside[0]] / 100


def paper_alphas(method: str) -> list[float] | None:
    """Return the paper's alpha1 and alpha2 of a method, ``None`` for one without."""
    return list(ALPHAS[method]) if method in ALPHAS else None


@cache
def shipped_paper() -> Paper:
    """Return the tables that Stillhouse ships, empty where it ships none."""
    path = shipped_file(TABLES)
    return read_paper(path) if path.is_file() else Paper([], {})


def read_paper(path: Path) -> Paper:
    """Return the tables of a JSON file: ``{table: {title, dataset, rows: [{group, role, detector, ...}]}}``."""
    tables = parse_json(path.read_text(encoding="utf-8"))
    cells: list[PaperCell] = []
    data: dict[str, str] = {}
    for name, table in tables.items():
        for row in table["rows"]:
            cell = _cell(name, table, row, len(cells))
            cells.append(cell)
            data[cell["id"]] = str(table["dataset"])
    return Paper(cells, data)


def _cell(name: str, table: Mapping[str, Any], row: Mapping[str, Any], number: int) -> PaperCell:
    words = (name, str(row.get("group", number)), str(row["role"]), str(row["method"]), str(number))
    return {
        "id": "/".join(words),
        "table": name,
        "title": str(table.get("title", "")),
        "detector": str(row["detector"]),
        "method": str(row["method"]),
        "role": str(row["role"]),
        "schedule": str(row.get("schedule") or ""),
        "teacher": str(row.get("teacher") or ""),
        "values": {COLUMNS[key]: float(row[key]) for key in COLUMNS if isinstance(row.get(key), int | float)},
    }


def _matches(cell: PaperCell, trial: RunRecord) -> bool:
    role = "teacher" if trial.role == "teacher" else ("student" if trial.method == "none" else "distilled")
    own = (role, trial.student, trial.method)
    if own != (cell["role"], cell["detector"], cell["method"]):
        return False
    if trial.role != "teacher" and cell["schedule"]:
        schedule = SCHEDULES.get(trial.run.params.get("schedule.epochs", ""))
        if schedule != cell["schedule"] or trial.run.params.get("schedule.iterations", "null") != "null":
            return False
    return not cell["teacher"] or cell["teacher"] == trial.teacher
