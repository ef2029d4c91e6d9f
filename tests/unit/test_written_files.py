"""Records go through ``trainers.schema.atomic``; each module that writes or renames files by itself says here why that is safe."""

import ast
from collections.abc import Iterator

from tests.unit.own_modules import ROOT, modules

SEAM = "trainers/schema/atomic.py"
# What is left of each after a power cut is tried in tests/chaos/test_power_cut.py, tests/processes/test_leases.py; else it does not matter.
BY_THEMSELVES = {
    "lines are added, and a torn one counts as never written": """
        orchestrator/plan/journal.py orchestrator/plan/recorded_trials.py trainers/schema/events.py
    """,
    "flushed before they are renamed": """
        orchestrator/storage/mirror.py trainers/schema/remote.py trainers/state/saving.py
    """,
    "they mean something only to processes that run": """
        orchestrator/clusters/files.py orchestrator/clusters/launcher.py orchestrator/core/locks.py
        orchestrator/core/leases.py orchestrator/plan/model_process.py
        orchestrator/service/validation.py orchestrator/worker_groups/trainable.py
        trainers/build_check/check.py trainers/costs/measure.py trainers/costs/memory.py trainers/loop/watchdog.py
        trainers/schema/being_read.py trainers/schema/stop.py trainers/state/checkpoints.py
    """,
    "a command makes them in front of its user, who repeats it": """
        orchestrator/commands/cluster.py orchestrator/commands/init.py orchestrator/commands/schema.py
        orchestrator/reports/mmdet_export.py orchestrator/reports/onnx_export.py orchestrator/reports/papers.py
        orchestrator/reports/plain_files.py
        orchestrator/reproduce/fetch_data.py trainers/onnx_export/write.py
        trainers/build_check/zoo.py trainers/detectors/zoo_index.py
        trainers/predictions/picture.py trainers/predictions/predict.py trainers/predictions/split_errors.py
    """,
    "what is read is checked against a digest, and made again": "trainers/data/sample_index.py",
    "a folder is renamed to be deleted": "orchestrator/execution/unused.py",
    "a hung process's stacks get a new name": "orchestrator/failures/retry.py",
}
MODES = frozenset("wax+")
WRITES = {"write_text", "write_bytes", "touch"}
MOVES = {"rename", "replace"}
MODULES = {"os.rename", "os.replace", "os.link", "shutil.move", "shutil.copy", "shutil.copytree", "np.save", "np.savez"}


def test_records_are_written_through_one_module() -> None:
    known = [path for paths in BY_THEMSELVES.values() for path in paths.split()]
    found = {path for path in modules() if any(_writes(ast.parse((ROOT / path).read_text())))}
    assert sorted(found - {*known, SEAM}) == [], f"use {SEAM}, or say in this test why a power cut does no harm"
    assert sorted({*known, SEAM} - found) == [], "these modules write no file by themselves any more"
    assert len(known) == len(set(known))


def test_the_rule_knows_each_way_to_write() -> None:
    for call in (
        "open(x, 'w')",
        "path.open('ab')",
        "path.open(mode='r+')",
        "x.write_text(y)",
        "part.replace(target)",
        "os.replace(x, y)",
        "np.save(x, y)",
    ):
        assert any(_writes(ast.parse(call))), call
    for call in ("open(x)", "path.open('rb')", "text.replace('a', 'b')", "write_text(x, y)", "replace(spec, a=1)"):
        assert not any(_writes(ast.parse(call))), call


def _writes(tree: ast.AST) -> Iterator[bool]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield _opens_to_write(node) or _is_method(node) or ast.unparse(node.func) in MODULES


def _opens_to_write(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    if name not in ("open", "io.open") and not name.endswith(".open"):
        return False
    given = [*call.args[:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    modes = [value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    return any(len(mode) <= 3 and MODES & set(mode) for mode in modes)


def _is_method(call: ast.Call) -> bool:
    """Return whether an object writes or moves its file; a text's ``replace`` has two arguments."""
    if not isinstance(call.func, ast.Attribute):
        return False
    return call.func.attr in WRITES or (call.func.attr in MOVES and len(call.args) == 1 and not call.keywords)
