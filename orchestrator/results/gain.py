"""Say in one sentence whether distillation helped: the gain over the student alone, and how sure it is."""

import shlex
from collections.abc import Sequence
from typing import Any

from orchestrator.results.metric_names import title_of, value_text, written
from orchestrator.results.rows import RankedRow
from orchestrator.results.trial import lacks_metric
from orchestrator.study.wording import counted

ENOUGH = 3  # seeds that say something


def gain_sentence(row: RankedRow[Any], seeds: Sequence[int]) -> str:
    """Return the gain of the best student's row over the student alone: mean, 95 % interval and numbers of seeds."""
    if row.row.kind == "baseline":
        return f"none; the best student is one trained alone{_more(row, seeds)}"
    metric = row.row.metric
    if row.baseline and any(map(lacks_metric, row.baseline.trials)):
        return f"unknown; the student trained alone has no {written(metric)}"
    if row.gain is None or row.baseline is None:
        return "unknown; no student trained alone has finished, see search.baseline"
    gain = f"{value_text(metric, row.gain, '+')} {title_of(metric)} over none"
    if row.gain_interval is None:
        return f"{gain}{_more(row, seeds)}"
    low, high = row.gain_interval
    undecided = "; it holds 0: undecided" if low <= 0 <= high else ""
    return f"{gain} ({_seeds(row)}), 95 % interval {value_text(metric, low, '+')} to {value_text(metric, high, '+')}{undecided}"


def _seeds(row: RankedRow[Any]) -> str:
    own, alone = (len(one.counted) if one else 0 for one in (row.row, row.baseline))
    return f"{counted(own, 'seed')}{' each' if own == alone else f' against {alone}'}"


def _more(row: RankedRow[Any], seeds: Sequence[int]) -> str:
    """Return the remedy where no point has been repeated: nothing is known of the spread then."""
    if row.interval is not None:
        return ""
    if len(seeds) > 1:
        return "; only one seed of each has finished, which says nothing"
    more = ",".join(str(seeds[0] + number) for number in range(ENOUGH))
    return f"; one seed says nothing: add --set {shlex.quote(f'search.seeds=[{more}]')}"
