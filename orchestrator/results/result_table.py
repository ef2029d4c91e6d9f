"""Show the results of a study in Python: a sequence, tables of pandas, and a table in a notebook."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from orchestrator.core.html_table import html_table
from orchestrator.plan.plan import Plan
from orchestrator.results.amounts import amount_text, gain_text
from orchestrator.results.frame import row_frame, trial_frame
from orchestrator.results.metric_names import title_of, value_text
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import SummaryLine, best_student, columns_of, lines_of, summarise, without_best

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class ResultTable(Sequence[TrialResult]):
    """Hold one result for each trial of a plan, the teacher's first."""

    plan: Plan

    @property
    @abstractmethod
    def trials(self) -> tuple[TrialResult, ...]:
        """Return the results in the plan's order."""

    def __len__(self) -> int:
        return len(self.trials)

    @overload
    def __getitem__(self, index: int) -> TrialResult: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TrialResult, ...]: ...

    def __getitem__(self, index: int | slice) -> TrialResult | tuple[TrialResult, ...]:
        return self.trials[index]

    @property
    def best(self) -> TrialResult | None:
        """Return the best finished student by the study's metric, ``None`` where none has been evaluated."""
        return best_student(self.trials)

    def frame(self) -> "DataFrame":
        """Return one line a trial as a frame of pandas; see ``trial_frame``."""
        return trial_frame(self.trials)

    def row_frame(self) -> "DataFrame":
        """Return the rows that ``compare`` prints, means and spreads over seeds, as a frame of pandas; see ``row_frame``."""
        return row_frame(self.trials)

    def __repr__(self) -> str:
        states = Counter(result.status for result in self.trials)
        counted = ", ".join(f"{count} {state}" for state, count in states.items())
        return (
            f"<{type(self).__name__} of {self.plan.study.name!r}: {counted or 'no trials'}; best: {self._best_words()}>"
        )

    def _repr_html_(self) -> str:
        lines = lines_of(summarise(self.trials))
        columns = columns_of(lines)
        titles = ("trial", "seeds", "status", *columns, "vs none", "rank")
        rows = [_cells(line, columns.values()) for line in lines]
        return html_table(self.plan.study.name, titles, rows, [f"best: {self._best_words()}"])

    def _best_words(self) -> str:
        best = self.best
        if best is None:
            return without_best(self.trials)
        return f"{best.name}, seed {best.seed} (trial {best.id}), {_score_text(best)}"


def _cells(line: SummaryLine, metrics: Iterable[str]) -> list[str]:
    amounts = [amount_text(line, metric) for metric in metrics]
    return [line.marked_name, line.seeds, line.status, *amounts, gain_text(line), str(line.rank or "")]


def _score_text(best: TrialResult) -> str:
    return f"{title_of(best.metric)} {value_text(best.metric, best.metrics[best.metric])}"
