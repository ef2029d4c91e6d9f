"""Detect splits that earlier releases read differently, so that their results are not reused."""

from trainers.schema.annotations.records import AnnotatedSplit

# What earlier releases trained on otherwise: they dropped boxes whose area was 0 or below, and boxes marked "ignore".
IN_TRAINING = ("area", "ignore")
# What they scored otherwise: annotation ids that the evaluators take for "unmatched", areas that are no numbers above 0,
# "ignore", and the APs of classes whose ids do not rise.
IN_EVALUATION = ("annotation-id", "area-in-evaluation", "ignore", "category-order")


def changed_readings(split: AnnotatedSplit) -> tuple[str, ...]:
    """Return the parts of the split that earlier releases read differently; usually none."""
    deciding = IN_TRAINING if split.name == "train" else IN_EVALUATION
    return tuple(name for name in deciding if split.readings[name])
