"""Write a row's numbers as people read them: percent, mean ± spread."""

from orchestrator.core.numbers import is_number
from orchestrator.results.sample import Sample
from orchestrator.results.summary import SummaryLine

NOTHING = "-"


def amount_text(line: SummaryLine, metric: str) -> str:
    """Return a metric in percent as mean ± spread, with the number of seeds where fewer than the row's have it."""
    sample = line.samples.get(metric)
    if sample is None:
        return NOTHING
    expected = len(line.summary.row.counted)
    few = f" ({sample.n} of {expected})" if not line.mark and sample.n < expected else ""
    return percent(sample) + few


def percent(sample: Sample) -> str:
    """Return mean ± spread in percent; a failed measurement is ``nan``."""
    if not is_number(sample.mean):
        return "nan"
    return f"{100 * sample.mean:.1f}" + ("" if sample.spread is None else f" ± {100 * sample.spread:.1f}")


def gain_text(gain: float | None) -> str:
    """Return a gain in points of AP, with its sign."""
    return "" if gain is None else f"{100 * gain:+.1f}"
