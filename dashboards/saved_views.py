"""Read saved views: initial views, kept as data under version control."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from dashboards.schema import Dashboard
from dashboards.views import views
from orchestrator.core.errors import UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.study.document import Document, read_file
from orchestrator.study.location import Locations, Problem
from orchestrator.study.messages import explain
from trainers.schema.base import Section

A_DASHBOARD = "a dashboard is a mapping (title:, metric:, view:, filter:, group_by:, baselines:)"
SHIPPED = Path(__file__).with_name("saved_views")
Text = Annotated[str, Field(min_length=1, max_length=250)]
if TYPE_CHECKING:
    ViewId = str
else:  # installed packages may add some
    ViewId = Literal[tuple(views())]


class SavedView(Section):
    """Hold one dashboard. ``filter`` keeps trials whose setting or tag has one of the accepted texts.

    The keys of ``filter`` are those of MLflow's parameters and tags, and ``method``, ``role``, ``status``, ``student``
    and ``study``. ``group_by`` names settings that are columns of their own in the
    leaderboard, ``baselines`` methods whose rows are always shown.
    """

    title: Text
    metric: Text = "coco/bbox_mAP"
    view: ViewId = "leaderboard"
    filter: dict[str, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field({}, max_length=50)
    group_by: tuple[Text, ...] = ()
    baselines: tuple[Text, ...] = ("none",)


def shipped_dashboards() -> list[Dashboard]:
    """Return the dashboards that Stillhouse ships, by name."""
    return [read_dashboard(path) for path in sorted(SHIPPED.glob("*.yaml"))]


def all_dashboards(files: Iterable[str | Path]) -> tuple[Dashboard, ...]:
    """Return the given dashboards before the shipped ones; raise ``UserError`` when two have one name."""
    given = [read_dashboard(path) for path in files]
    names = [dashboard["name"] for dashboard in given]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"two dashboards are called {repeated[0]}: their names are those of their files, rename one")
    return (*given, *(shipped for shipped in shipped_dashboards() if shipped["name"] not in names))


def read_dashboard(path: Path | str) -> Dashboard:
    """Return the dashboard in a file, named as the file is; raise ``StudyErrors`` with all that is wrong in it."""
    document = read_file(Path(path), str(path), A_DASHBOARD)
    if document.problems or not document.complete:
        raise _errors(document, document.problems)
    try:
        found = SavedView.model_validate_json(json.dumps(document.data))  # JSON's lists are tuples to the strict mode
    except ValidationError as error:
        raise _errors(document, explain(error, SavedView, document.data)) from error
    return {
        "name": Path(path).stem,
        "title": found.title,
        "metric": found.metric,
        "view": found.view,
        "filter": {key: list(texts) for key, texts in found.filter.items()},
        "group_by": list(found.group_by),
        "baselines": list(found.baselines),
    }


def _errors(document: Document, problems: list[Problem]) -> StudyErrors:
    locations = Locations(document.lines)
    return StudyErrors(locations.finding(problem) for problem in problems)
