"""Map modules to the test files beside them, and tell who is nearest.

Beside a module are the unit tests in its room's folder, the tests that import it, and the files of ``tests/contract`` that
import any module of its room. Nearly all of the latter import modules of the rooms in ``BOTTOM``: there the file's name
decides. ``ALSO`` adds what names do not tell.
"""

import ast
import functools
import re
from pathlib import Path

# Of which sources, and which test files (or what they import) are beside them, too.
ALSO = (
    (
        r"orchestrator/(commands/.*|cli|api)\.py|stillhouse\.py",
        r"tests/unit/orchestrator/(submit/)?test_\w+\.py|tests\.unit\.orchestrator\.command",
    ),
    (r"orchestrator/compat/.*", r"tests/contract/test_compat_\w+\.py"),
    (r"trainers/compat/.*", r"tests/contract/test_compat_\w+\.py"),
    (r"trainers/distill/.*", r"tests/unit/trainers/losses/.*|tests/contract/test_adapters\.py"),
    (r"trainers/(loop/.*|worker\.py)", r"tests/unit/trainers/(loop|state)/.*"),
    (r"trainers/schema/.*", r"tests/unit/trainers/(data|state)/.*|tests/unit/orchestrator/(study|dataset_check)/.*"),
    (r"trainers/data/.*", r"tests/unit/trainers/(loop|evaluation)/test_(loop|evaluate|start)\.py"),
    (r"dashboards/.*\.js", r"tests/e2e/dashboard/.*"),
)
BOTTOM = ("orchestrator/core", "trainers/schema", "orchestrator/study", "orchestrator/plan")
WIDE = (
    *BOTTOM,
    "orchestrator/commands",
    "orchestrator/reports",
)  # a test of one module there says nothing of the others
FOLDERS = ("tests/unit", "tests/processes", "tests/contract")
PAGES = "tests/e2e/dashboard"
TRAINING = "tests/unit/trainers/loop/"  # train detectors: nearly all of trainers runs in them
# Rules about texts and folders, not about behaviour; files that run for minutes; files whose work other processes do.
LEFT_OUT = (
    r"tests/unit/test_(docker|names|packaging|private_parts|prose|written_files)\.py",
    r"tests/unit/(benchmarks/.*|trainers/loop/test_(paper_pairs|step_without_a_gpu)\.py)",
    r"tests/contract/(hostile|scores)/.*",
    r"tests/processes/test_(gpu_check|benchmark_clock|mutants|onnx_export|group_of_eight|worker_group|\w+_(workers|processes))\.py",
)


@functools.cache
def test_files(root: Path) -> list[str]:
    """Return the files of tests that can be beside a module."""
    found = [path for folder in (*FOLDERS, PAGES) for path in (root / folder).rglob("test_*.py")]
    return sorted(name for path in found if not _is_left_out(name := str(path.relative_to(root))))


def _is_left_out(test: str) -> bool:
    return any(re.fullmatch(pattern, test) for pattern in LEFT_OUT)


def beside(file: str, root: Path) -> dict[str, int]:
    """Return the test files beside a source, each with its distance: 0 by name, 1 in the same folder, 2 elsewhere."""
    if file.endswith(".js"):
        return {test: 0 for test in test_files(root) if test.startswith(PAGES)}
    distances = {test: _distance(file, test, imported(root / test)) for test in test_files(root)}
    return {test: distance for test, distance in distances.items() if distance is not None}


def _distance(file: str, test: str, names: frozenset[str]) -> int | None:
    if test.startswith(PAGES):
        return None
    module, room = module_of(file), "/".join(file.split("/")[:2])
    if Path(test).stem.removeprefix("test_") == Path(file).stem:
        return 0
    if test.startswith(TRAINING) and not room.startswith(("trainers/loop", "trainers/worker")):
        return None
    is_unit = test.startswith("tests/unit/")
    if module in names and (is_unit or room not in BOTTOM):
        return 1
    if test.startswith(f"tests/unit/{room if not room.endswith('.py') else file.split('/', maxsplit=1)[0]}/"):
        return 1
    within = f"{room.replace('/', '.')}."
    if test.startswith("tests/contract/") and room not in WIDE and any(name.startswith(within) for name in names):
        return 2
    also = any(
        re.fullmatch(source, file) and any(re.fullmatch(rule, word) for word in (test, *names)) for source, rule in ALSO
    )
    return 2 if also else None


def module_of(file: str) -> str:
    """Return the name of the module that a source is."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@functools.cache
def imported(test: Path) -> frozenset[str]:
    """Return the modules that a test file names in imports, in the form ``a.b`` and ``a.b.c`` for ``from a.b import c``."""
    found = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update({node.module, *(f"{node.module}.{name.name}" for name in node.names)})
    return frozenset(found)
