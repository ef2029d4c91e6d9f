"""Read the tables of docs/studies.md: which section of a study stands where, and what its keys mean."""

import re
from functools import cache
from pathlib import Path

from orchestrator.study import algorithms, ranges, schema
from trainers.schema import dataset, detector, division, image_pipeline, method, schedule, terms, timing
from trainers.schema.base import Section

REFERENCE = Path(__file__).parents[1] / "docs" / "studies.md"
LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
SEE_BELOW = re.compile(r"(, )?\bsee below\b")

# Under which heading of docs/studies.md each section's keys stand.
PLACES: dict[type[Section], str] = {
    schema.StudySpec: "The file",
    dataset.ShapesDataset: "dataset",
    dataset.CocoDataset: "dataset",
    dataset.VocDataset: "dataset",
    dataset.CocoSplit: "dataset.train and dataset.val",
    dataset.VocPart: "parts of a VOC split",
    dataset.YoloDataset: "dataset",
    dataset.YoloPart: "parts of a YOLO split",
    division.Division: "dataset.split and dataset.test",
    division.BeforeText: "dataset.split and dataset.test",
    image_pipeline.RangeScales: "dataset.multi_scale",
    image_pipeline.ChoiceScales: "dataset.multi_scale",
    image_pipeline.Mosaic: "dataset.mosaic",
    image_pipeline.BatchScales: "dataset.batch_scales",
    schema.ZooTeacher: "teacher",
    schema.CheckpointTeacher: "teacher",
    schema.TrainedTeacher: "teacher",
    schema.Constraints: "search.constraints",
    schema.RandomTeacher: "teacher",
    detector.Detector: "student",
    detector.ZooWeights: "student.weights",
    detector.CheckpointWeights: "student.weights",
    detector.Freeze: "student.freeze",
    method.NoDistillation: "method",
    method.Bckd: "bckd and pkd+bckd",
    method.PkdBckd: "bckd and pkd+bckd",
    method.Ld: "ld",
    method.PkdMethod: "pkd",
    method.CwdMethod: "cwd",
    method.MgdMethod: "mgd",
    method.FgdMethod: "fgd",
    method.FeatureMethod: "feature",
    method.Gid: "gid-response",
    method.CrossKd: "crosskd",
    method.TermSum: "terms",
    terms.BckdCls: "terms of BCKD",
    terms.BckdLoc: "terms of BCKD",
    terms.LdMain: "terms of LD",
    terms.LdVlr: "terms of LD",
    terms.KdMain: "terms of LD",
    terms.Pkd: "terms on pyramid features",
    terms.Cwd: "terms on pyramid features",
    terms.Mgd: "terms on pyramid features",
    terms.Fgd: "terms on pyramid features",
    terms.Feature: "terms on pyramid features",
    terms.GradShare: "a weight that holds a share",
    terms.GidResponse: "other terms",
    terms.CrossKdCls: "other terms",
    terms.CrossKdBox: "other terms",
    schedule.Schedule: "schedule",
    schedule.Sgd: "schedule.optimizer",
    schedule.AdamW: "schedule.optimizer",
    schedule.Warmup: "schedule.warmup",
    schedule.StepPolicy: "schedule.policy",
    schedule.CosinePolicy: "schedule.policy",
    schedule.FlatCosinePolicy: "schedule.policy",
    schedule.ConstantPolicy: "schedule.policy",
    schedule.Ema: "schedule.ema",
    schema.Search: "search",
    algorithms.Grid: "search.algorithm",
    algorithms.Random: "search.algorithm",
    algorithms.Optuna: "search.algorithm",
    algorithms.Pbt: "search.algorithm",
    ranges.Uniform: "search.space",
    ranges.LogUniform: "search.space",
    ranges.Int: "search.space",
    ranges.LogInt: "search.space",
    schema.Fifo: "search.scheduler",
    schema.Asha: "search.scheduler",
    schema.Pasha: "search.scheduler",
    schema.HyperBand: "search.scheduler",
    schema.Population: "search.population",
    schema.Racing: "search.racing",
    schema.StopWhen: "search.stop_when",
    schema.Scaling: "scaling",
    schema.ElasticWorkers: "scaling.workers",
    schema.TrackingSection: "tracking",
    schema.OnEnd: "tracking.on_end",
    schema.EndPredictions: "tracking.predictions",
}
ONCE = {timing.Timed: "when a term acts"}  # what many sections inherit, and the reference gives for all of them


def own_keys(section: type[Section]) -> set[str]:
    """Return a section's keys without those that the reference gives for many sections at once."""
    return set(section.model_fields) - {
        key for shared in ONCE if section is not shared and issubclass(section, shared) for key in shared.model_fields
    }


def chapters(text: str) -> dict[str, str]:
    """Return the text below each heading, up to the next heading of any level; code blocks are no headings."""
    parts = re.split(r"^#{1,6} +(.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of each table row that begins with a name in backticks, by that name."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {cells[0].strip("`"): cells for cells in lines if cells[0].startswith("`")}


@cache
def meanings() -> dict[tuple[str, str], str]:
    """Return the sentence of the reference about each key, by the names of its section's class and the key."""
    text = chapters(REFERENCE.read_text(encoding="utf-8"))
    found = {}
    for section, heading in PLACES.items():
        table = rows(text[heading])
        for shared, elsewhere in ONCE.items():
            if issubclass(section, shared):
                table = rows(text[elsewhere]) | table
        found |= {(section.__name__, key): plain(table[key][3]) for key in section.model_fields}
    return found


def plain(cell: str) -> str:
    """Return a cell without links: an editor shows it as text."""
    return SEE_BELOW.sub("", LINK.sub(r"\1", cell))
