"""List the figures of the table; a module of this package measures each."""

from tests.benchmarks.figure import Figure, Setting
from tests.benchmarks.pairs import LEAST_PAIRS


def terms_bar(setting: Setting) -> float:
    """Return the bar of the terms alone: a GPU has more to gain from doing all levels at once."""
    return 0.6 if setting.cuda else 1.0


FIGURES = (
    Figure(
        "cohort",
        "cohort of 4 / 4 trials alone, steady state, R50 -> R18, over its limit (T + 4 S) / (4 (T + S))",
        1.05,
        "cohort:against_solo",
    ),
    Figure("step", "BCKD step / (student step + teacher forward), R101 -> R50", 1.05, "step:against_its_parts"),
    Figure("ld-head", "BCKD step / mmdet's LDHead step, R101 -> R50", 1.03, "step:against_ld_head"),
    Figure("terms", "BCKD terms / plain loop over levels", terms_bar, "terms:against_a_loop"),
    Figure(
        "throughput",
        "throughput / bare mmengine Runner's",
        0.97,
        "throughput:against_mmengine",
        at_least=True,
    ),
    Figure(
        "evaluation",
        "COCO evaluation / pycocotools",
        0.15,
        "evaluation:against_pycocotools",
        on_device=False,
        most_pairs=LEAST_PAIRS,
    ),
    Figure(
        "plan",
        "plan of 10,000 VOC images / plan without files, and a plain loop over the XML files",
        1.8,
        "plan:against_reading",
        on_device=False,
    ),
    Figure(
        "plan-many",
        "plan of 9,751 trials / as many times a 976th of the plan of 976",
        1.0,
        "many_trials:plan",
        on_device=False,
    ),
    Figure(
        "compare-many",
        "compare of 9,751 trials / as many times a 976th of the compare of 976",
        1.0,
        "many_trials:compare",
        on_device=False,
        most_pairs=LEAST_PAIRS,
    ),
    Figure(
        "runs-apart",
        "cohort of 4 / 4 trials run apart, wall time of the commands, quickstart's sizes",
        0.45,
        "sweeps:against_runs_apart",
        on_device=False,
        most_pairs=LEAST_PAIRS,
    ),
    Figure(
        "driver",
        "the driver's own CPU time for a trial, of 1,000, without Tune's / 20 ms",
        1.0,
        "driver:own_time",
        on_device=False,
        most_pairs=LEAST_PAIRS,
    ),
    Figure(
        "own-time",
        "seconds of Stillhouse's, Tune's and Ray's own for a trial, 200 trials on at most 8 worker groups",
        0.3,
        "sweeps:own_time",
        on_device=False,
        most_pairs=LEAST_PAIRS,
    ),
)
