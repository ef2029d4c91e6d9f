"""Write the section of docs/benchmarks.md from the check's JSON file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.pairs import LEAST_PAIRS, median, upper_bound

RECORD = Path(__file__).parents[3] / "docs" / "gpu-check.json"  # the published check; there may be none
NOT_RUN = "**Not run**: no GPU was at hand yet."
GIB = 2**30
HEADER = (
    "| size, precision, students | images/s, together | images/s, each | memory (GiB) | forecast (GiB) | TFLOP/s | of the ceiling | loss |\n"
    "|---|---|---|---|---|---|---|---|"
)


def section(record: dict[str, Any] | None) -> str:
    """Return the section's text for a check, or for none."""
    if record is None:
        return NOT_RUN
    parts = {part["name"]: part for part in record["parts"]}
    paragraphs = [_machine(record), *(_part(parts, name) for name in WRITERS)]
    return "\n\n".join(paragraphs)


def _machine(record: dict[str, Any]) -> str:
    found = record["machine"]
    gpu, packages = found["gpu"], ", ".join(f"{name} {known}" for name, known in found["packages"].items() if known)
    where = f"{gpu['name']}, CUDA {gpu['cuda']}, cuDNN {gpu['cudnn']}" if gpu else "no GPU, at toy size"
    return f"On {found['date']}: {where}; {found['processor']}, {found['cpus']} CPUs; Python {found['python']}, {packages}."


def _part(parts: dict[str, Any], name: str) -> str:
    """Return a part's text: what it found, then what did not run."""
    if name not in parts:
        return f"{name}: not run."
    part = parts[name]
    lines = [] if not part["rows"] else list(WRITERS[name](part, parts))
    return "\n".join([*lines, *(["", *_missing(part)] if lines else _missing(part))]).rstrip()


def _missing(part: dict[str, Any]) -> Iterator[str]:
    if part["state"] == "failed":
        yield f"{part['what']}: failed ({part['why']})."
    if part["not_run"] is None:
        yield f"{part['what']}: not run, for its share of {part['share_s']:.0f} s was over before it began."
    elif part["not_run"]:
        yield f"{part['what']}: not run within {part['share_s']:.0f} s: {'; '.join(part['not_run'])}."


def _proofs(part: dict[str, Any], _parts: dict[str, Any]) -> Iterator[str]:
    outcomes = [row["outcome"] for row in part["rows"]]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    yield f"`tests/gpu`: {counts}."
    for row in part["rows"]:
        if row["outcome"] == "failed":
            yield f"\n- **failed**: `{row['name']}`: {row['why']}"


def _step(part: dict[str, Any], _parts: dict[str, Any]) -> Iterator[str]:
    ratios = [row["ours"] / row["theirs"] for row in part["rows"]]
    bound = f"{upper_bound(ratios):.3f}" if len(ratios) >= LEAST_PAIRS else "too few pairs for one"
    ours = median([row["ours"] for row in part["rows"]])
    yield (
        f"BCKD step / (student step + teacher forward): {median(ratios):.3f}, 95 % bound {bound}, "
        f"{len(ratios)} pairs, {1000 * ours:.0f} ms a step."
    )


def _cohorts(part: dict[str, Any], parts: dict[str, Any]) -> Iterator[str]:
    rows = {row["name"]: row for row in part["rows"]}
    forecasts = {row["name"]: row["peaks"] for row in parts.get("forecasts", {"rows": []})["rows"]}
    ceilings = {name.partition(", ")[2]: row["flops_per_s"] for name, row in rows.items() if name.startswith("ceiling")}
    yield f"Products of matrices: {', '.join(f'{rate / 1e12:.3g} TFLOP/s in {name}' for name, rate in ceilings.items())}."
    yield ""
    yield HEADER
    for name, row in rows.items():
        if "images_per_s" in row:
            yield _cohort(name, row, forecasts, ceilings)


def _cohort(name: str, row: dict[str, Any], forecasts: dict[str, Any], ceilings: dict[str, float]) -> str:
    setting, _, students = name.rpartition(", ")
    rate = row["flops"] / row["seconds"]
    most = next((found for precision, found in ceilings.items() if f", {precision}" in setting), None)
    cells = (
        name, f"{row['images_per_s']:.2f}", f"{row['images_per_s'] / int(students):.2f}", _gib(row["memory"]),
        _gib(forecasts.get(setting, {}).get(students)), f"{rate / 1e12:.3g}", "-" if most is None else f"{rate / most:.0%}",
        f"{row['loss']:.4f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _gib(size: int | None) -> str:
    return "-" if size is None else f"{size / GIB:.2f}"


def _equality(part: dict[str, Any], _parts: dict[str, Any]) -> Iterator[str]:
    yield "| compared with the same trials, trained alone | largest relative difference of a loss | bound | holds |\n|---|---|---|---|"
    for row in part["rows"]:
        yield f"| {row['name']} | {row['difference']:.1e} | {row['bound']:.0e} | {'yes' if row['holds'] else '**no**'} |"


def _forecasts(_part: dict[str, Any], _parts: dict[str, Any]) -> Iterator[str]:
    yield from ()  # they stand in the table of cohorts


WRITERS = {"proofs": _proofs, "step": _step, "forecasts": _forecasts, "cohorts": _cohorts, "equality": _equality}
