"""Read the results of rows' trials, in percent, from MLflow or from their directories."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.core.numbers import is_number
from orchestrator.core.store import Store
from orchestrator.reports.paper import HEADLINE
from orchestrator.reproduce.comparison import Comparison, judge
from orchestrator.reproduce.plan import RunPlan, job_name, merged
from orchestrator.reproduce.tables import METRICS, TableRow
from orchestrator.results.metric_names import AP, VOC_MEANING, printed_metrics
from orchestrator.results.result import TrialResult
from orchestrator.results.trial import is_final
from orchestrator.tracking.reading import read_study

Results = Mapping[str, TrialResult]


@dataclass(frozen=True)
class Judged:
    """Hold one row with a comparison for each metric. ``variant`` tells a searched point of the study from its others.

    ``measured`` names the metric behind each cell: on Pascal VOC it is VOC's own AP.
    """

    row: TableRow
    variant: str
    seeds: int
    cells: dict[str, Comparison]
    measured: Mapping[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """Return notes about the row's numbers."""
        own = [VOC_MEANING] if any(metric.startswith("voc/") for metric in self.measured.values()) else []
        return ", ".join(filter(None, [self.cells[HEADLINE].note, *own]))


def read_all(run_plan: RunPlan, store: Store) -> Results:
    """Return the results of all trials by id, from MLflow; from the trials' directories when it is away."""
    found: dict[str, TrialResult] = {}
    for plan in merged(run_plan, run_plan.trials, "verdict"):
        found |= {result.id: result for result in read_study(plan, store).results}
    return found


def judged(run_plan: RunPlan, results: Results) -> list[Judged]:
    """Return the comparisons on all rows, in their order."""
    return [found for row in run_plan.rows for found in _judged_row(run_plan, row, results)]


def ap_values(run_plan: RunPlan, job: str, results: Results) -> list[float]:
    """Return the last AP of each finished trial of a job, in percent."""
    own = [results[trial.id] for trial in run_plan.jobs[job].trials if trial.id in results]
    return values_of(own, metric_names(run_plan, job)["mAP"])


def metric_names(run_plan: RunPlan, job: str) -> dict[str, str]:
    """Return which measured metric stands for which printed one: Pascal VOC's tables print its own AP."""
    found = printed_metrics(run_plan.jobs[job].plan.study.dataset.kind)
    return {HEADLINE if title == AP else title: metric for title, metric in found.items()}


def values_of(results: list[TrialResult], metric: str) -> list[float]:
    """Return a metric of the last epoch, in percent, of each finished trial; one that lacks it counts as no number."""
    return [100 * result.last.get(metric, float("nan")) for result in results if is_final(result)]


def _judged_row(run_plan: RunPlan, row: TableRow, results: Results) -> list[Judged]:
    job = run_plan.jobs[job_name(row)]
    names = metric_names(run_plan, job.name)
    groups: dict[str, list[TrialResult | None]] = {}
    for trial in job.trials:
        params = {key: value for key, value in trial.params.items() if key != "row"}
        words = " ".join(f"{key.removeprefix('method.')}={value}" for key, value in params.items())
        groups.setdefault(words, []).append(results.get(trial.id))
    return [_judge(row, variant, group, names) for variant, group in groups.items()]


def _judge(row: TableRow, variant: str, group: list[TrialResult | None], names: Mapping[str, str]) -> Judged:
    known = [result for result in group if result is not None]
    shown = [metric for metric in METRICS if metric in names]
    cells = {
        metric: judge(row.printed.get(metric), _where_defined(known, row, metric, names[metric]), len(group))
        for metric in shown
    }
    return Judged(row, variant, sum(map(is_final, known)), cells, names)


def _where_defined(known: list[TrialResult], row: TableRow, metric: str, name: str) -> list[float]:
    """Return a metric's values; a size that no box of the data has is no failure where nothing is printed either."""
    values = values_of(known, name)
    return values if metric in row.printed else [value for value in values if is_number(value)]
