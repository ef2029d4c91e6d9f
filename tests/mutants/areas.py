"""Divide the sources into areas, and take a sample of their faults that stays the same while other lines change."""

import hashlib
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.mutants.faults import Fault, faults
from tests.mutants.script_faults import script_faults

# The first expression that finds a file names its area.
AREAS = (
    (
        "redact and security",
        (
            r"orchestrator/core/(redact|listening|printable|plain_log|sqlite_file)\.py"
            r"|orchestrator/service/(gate|json_body)\.py|orchestrator/submit/service_token\.py"
            r"|dashboards/(server|artifact_cache)\.py|dashboards/web/\w+\.py"
            r"|trainers/schema/(pickle_machine|pickle_stream|pickled_objects|file_names|foreign_json|foreign_yaml|user_file)\.py"
            r"|trainers/formats/unpickle\.py"
        ),
    ),
    ("search", r"orchestrator/search/.*"),
    ("clusters", r"orchestrator/clusters/.*"),
    ("dashboard's JS", r"dashboards/web/app/.*\.js"),
    ("dashboards", r"dashboards/.*\.py"),
    ("checkpoints", r"trainers/state/.*|trainers/schema/(atomic|manifest|state_files|record|tidy|fence)\.py"),
    ("annotations", r"trainers/schema/annotations/.*|trainers/schema/(voc|yolo|image)_\w+\.py"),
    ("config files", r"trainers/schema/(config|plain_config|zoo|pretrained|remote|plugins|tree)\w*\.py"),
    ("sections of a study", r"trainers/schema/.*"),
    ("losses and terms", r"trainers/distill/(losses|terms)/.*"),
    ("adapters", r"trainers/distill/.*"),
    ("training loop", r"trainers/loop/.*|trainers/worker\.py"),
    ("data", r"trainers/data/.*"),
    ("weights and formats", r"trainers/formats/.*"),
    ("evaluation and costs", r"trainers/(evaluation|costs|predictions)/.*"),
    ("building detectors", r"trainers/(detectors|build_check|compat|onnx_export)/.*|trainers/\w+\.py"),
    ("core", r"orchestrator/(core|storage|failures|compat)/.*"),
    ("commands", r"orchestrator/commands/.*|orchestrator/\w+\.py|stillhouse\.py"),
    ("plan", r"orchestrator/plan/.*"),
    ("study", r"orchestrator/study/.*"),
    ("service", r"orchestrator/(service|submit)/.*"),
    ("execution", r"orchestrator/(execution|worker_groups)/.*"),
    ("tracking", r"orchestrator/tracking/.*"),
    ("results and reports", r"orchestrator/(results|reports)/.*"),
    ("reproduce", r"orchestrator/reproduce/.*"),
    ("data check and init", r"orchestrator/(dataset_check|first_study)/.*"),
)
CODE = re.compile(r"((orchestrator|trainers|dashboards)/(?!web/vendor).*\.(py|js)|stillhouse\.py)")


def area_of(file: str) -> str:
    """Return the area of a source file."""
    return next(area for area, pattern in AREAS if re.fullmatch(pattern, file))


def sources(root: Path) -> list[str]:
    """Return the files of a checkout that faults are planted in, named from its root."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True)
    return sorted(file for file in listed.stdout.splitlines() if CODE.fullmatch(file) and (root / file).is_file())


def all_faults(texts: dict[str, str]) -> list[Fault]:
    """Return every fault that can be planted in files, given by name and text."""
    return [
        fault
        for file, text in texts.items()
        for fault in (script_faults(file, text) if file.endswith(".js") else faults(file, text))
    ]


def sample(found: Iterable[Fault], seed: int, count: int, is_valid: Callable[[Fault], bool]) -> list[Fault]:
    """Return about ``count`` faults: from every area as many, of its kinds in turn, of one definition only one.

    A fault's rank is a digest of the seed and its id, so that a change elsewhere leaves most of a sample as it is.
    """
    by_area = defaultdict(list)
    for fault in found:
        by_area[area_of(fault.file)].append(fault)
    share, more = divmod(count, len(by_area))
    return [
        fault
        for number, area in enumerate(area for area, _ in AREAS if area in by_area)
        for fault in _in_turn(by_area[area], area, seed, share + (number < more), is_valid)
    ]


def _in_turn(found: list[Fault], area: str, seed: int, count: int, is_valid: Callable[[Fault], bool]) -> list[Fault]:
    by_kind = defaultdict(list)
    for fault in sorted(found, key=lambda fault: _rank(seed, fault.id), reverse=True):
        by_kind[fault.kind].append(fault)
    kinds = sorted(by_kind, key=lambda kind: _rank(seed, f"{area} {kind}"))
    chosen: dict[tuple[str, str], Fault] = {}
    while len(chosen) < count and any(by_kind.values()):
        for kind in kinds:
            _take(by_kind[kind], chosen, is_valid)
            if len(chosen) == count:
                break
    return list(chosen.values())


def _take(due: list[Fault], chosen: dict[tuple[str, str], Fault], is_valid: Callable[[Fault], bool]) -> None:
    """Move the last fault of ``due`` that is valid and of a new definition to the chosen ones."""
    while due:
        fault = due.pop()
        place = (fault.file, fault.scope)
        if place not in chosen and is_valid(fault):
            chosen[place] = fault
            return


def _rank(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
