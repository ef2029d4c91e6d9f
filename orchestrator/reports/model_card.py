"""Write a student's model card: its results, data, training, licences and files, and how mmdet loads it."""

from collections.abc import Iterator, Sequence

from orchestrator.core.printable import printable
from orchestrator.reports.card_facts import CardFacts, CardRow
from orchestrator.reports.card_settings import Named
from orchestrator.reports.markdown import escaped
from orchestrator.results.amounts import NOTHING, sample_text
from orchestrator.results.detector_costs import TITLES, cost_note, cost_text
from orchestrator.study.wording import counted
from trainers.schema.image_pipeline import COCO_DETECTIONS
from trainers.schema.plain_config import TEST, VAL

CARD = "README.md"
LISTED = 20  # classes that are listed; of more the number is said, and config.py has them all
NEEDS = (
    "The files need mmdet 3 and a compiled mmcv (2.0 or 2.1), and nothing of Stillhouse. mmdet cannot be imported with "
    "mmcv-lite alone, whose operators are left out."
)
DETECT = """\
from mmdet.apis import DetInferencer

inferencer = DetInferencer("config.py", "student.pth", device="cpu")
[found] = inferencer("photo.jpg")["predictions"]  # bboxes, scores, labels
"""
BUILD = """\
from mmdet.apis import inference_detector, init_detector

detector = init_detector("config.py", "student.pth", device="cpu")
found = inference_detector(detector, "photo.jpg").pred_instances
"""
MEASURE = "python tools/test.py config.py student.pth --cfg-options test_dataloader.dataset.data_root=DATA"
MEANING = (
    "AP and the like in percent, at the best epoch by AP on the validation split, by which the epoch was chosen; mean ± "
    "sample standard deviation over seeds."
)


def model_card(facts: CardFacts) -> str:
    """Return the card as GitHub's Markdown; all names and values are escaped."""
    parts = [
        f"# {escaped(facts.study)}: {facts.role} {escaped(facts.trial)}",
        escaped(facts.description),
        _classes(facts.classes),
        *_use(facts),
        *_results(facts),
        *_costs(facts),
        *_section("Data", facts.data),
        *_section("Training", facts.training),
        *_section("Licences", facts.licences),
        *_section("Files", facts.files, "SHA-256"),
        *_section("Provenance", facts.provenance),
        _console(facts.commands),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _classes(names: Sequence[str]) -> str:
    if len(names) > LISTED:
        return f"A detector of {len(names)} classes, which config.py lists."
    return f"A detector of {len(names)} classes: {escaped(', '.join(names))}."


def _use(facts: CardFacts) -> Iterator[str]:
    yield "## Use"
    yield f"{NEEDS} In this folder:"
    yield f"```python\n{DETECT}```"
    yield f"```python\n{BUILD}```"
    if facts.has(VAL):
        yield f"DATA is the folder in which the names of images in {VAL} begin. {_meaning_of_test(facts)}:"
        yield _console([MEASURE])
    if facts.has(TEST):
        yield f"{TEST} holds the test split: name it in `ann_file` of config.py."


def _meaning_of_test(facts: CardFacts) -> str:
    most = facts.spec.dataset.max_detections
    if most > COCO_DETECTIONS:
        return f"mmdet's own test counts the best {COCO_DETECTIONS} detections of an image, the AP below up to {most}"
    return "mmdet's own test then gives the AP of the first line below"


def _results(facts: CardFacts) -> Iterator[str]:
    """Yield the table, where results could be read."""
    if not facts.rows:
        return
    yield "## Results"
    heads = ["", "seeds", *facts.columns]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *(_cells(row, facts) for row in facts.rows)]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    yield MEANING


def _cells(row: CardRow, facts: CardFacts) -> list[str]:
    samples = [(metric, row.samples.get(metric)) for metric in facts.columns.values()]
    amounts = [NOTHING if sample is None else sample_text(metric, sample) for metric, sample in samples]
    return [escaped(row.name), _seeds(row.seeds), *amounts]


def _costs(facts: CardFacts) -> Iterator[str]:
    """Yield the costs of the detectors, where they were measured."""
    if not facts.costs:
        return
    yield "## Costs"
    lines = [["", *TITLES.values()], ["---", *["---:"] * len(TITLES)]]
    lines += [[escaped(name), *(cost_text(cost, key) for key in TITLES)] for name, cost in facts.costs]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    yield escaped(cost_note(cost for _, cost in facts.costs))


def _seeds(seeds: Sequence[int]) -> str:
    listed = ", ".join(map(str, seeds))
    return f"seed {listed}" if len(seeds) == 1 else f"{counted(len(seeds), 'seed')}: {listed}"


def _section(title: str, lines: Sequence[Named], value: str = "") -> Iterator[str]:
    yield f"## {title}"
    heads = ["| | |" if not value else f"| | {value} |", "|---|---|"]
    yield "\n".join([*heads, *(f"| {escaped(name)} | {escaped(said)} |" for name, said in lines)])


def _console(commands: Sequence[str]) -> str:
    lines = "\n".join(f"$ {printable(command).replace('```', '` ` `')}" for command in commands)
    return f"```console\n{lines}\n```"
