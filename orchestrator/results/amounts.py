"""Write a row's numbers as people read them: mean ± spread, average precisions in percent."""

from orchestrator.core.numbers import is_number
from orchestrator.results.metric_names import value_text
from orchestrator.results.sample import Sample
from orchestrator.results.summary import SummaryLine

NOTHING = "-"


def amount_text(line: SummaryLine, metric: str) -> str:
    """Return a metric as mean ± spread, with the number of seeds where fewer than the row's have it."""
    sample = line.samples.get(metric)
    if sample is None:
        return NOTHING
    expected = len(line.summary.row.counted)
    few = f" ({sample.n} of {expected})" if not line.mark and sample.n < expected else ""
    return sample_text(metric, sample) + few


def sample_text(metric: str, sample: Sample) -> str:
    """Return mean ± spread, of an average precision in percent; a failed measurement is ``nan``."""
    if not is_number(sample.mean):
        return "nan"
    spread = "" if sample.spread is None else f" ± {value_text(metric, sample.spread)}"
    return value_text(metric, sample.mean) + spread


def gain_text(line: SummaryLine) -> str:
    """Return a line's gain with its sign, of an average precision in points."""
    return "" if line.gain is None else value_text(line.summary.row.metric, line.gain, "+")
