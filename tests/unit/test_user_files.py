"""Only ``trainers.schema.user_file`` opens files that a study, a data set or a config names."""

import ast
from collections.abc import Iterator

from tests.unit.own_modules import ROOT, modules

READS = {
    "open", "read_text", "read_bytes", "imread", "imreadmulti", "fromfile", "genfromtxt", "loadtxt", "memmap", "mmap", "ZipFile",
    "is_zipfile", "safe_open", "load_file", "walk", "list_from_file", "imfrombytes", "copyfileobj",
}  # fmt: skip
QUALIFIED = {"torch.load", "np.load", "numpy.load", "mmengine.load", "pickle.load", "ET.parse", "tarfile.open"}
NO_READS = {"webbrowser.open", "archive.open", "ast.walk"}
WRITES = frozenset("wax")
OPENER = "trainers/schema/user_file.py"
# Modules that read other files, each with the owner of their names.
OTHERS = {
    "records that Stillhouse writes: the store of trials, caches, notes between processes": """
        trainers/build_check/check.py trainers/costs/measure.py trainers/costs/memory.py trainers/data/sample_index.py trainers/schema/atomic.py trainers/schema/digest.py
        trainers/schema/events.py trainers/schema/record.py orchestrator/clusters/files.py
        orchestrator/clusters/launcher.py orchestrator/execution/callbacks.py
        orchestrator/execution/ownership.py orchestrator/plan/build_check.py orchestrator/plan/costs.py
        orchestrator/plan/images.py orchestrator/plan/journal.py orchestrator/plan/kept.py
        orchestrator/plan/memory.py orchestrator/plan/model_process.py
        orchestrator/core/leases.py orchestrator/core/locks.py
        orchestrator/plan/recorded_trials.py orchestrator/plan/split_scores.py orchestrator/plan/wall_clock.py
        orchestrator/reports/card_settings.py orchestrator/reports/predict.py orchestrator/reports/progress.py
        orchestrator/submit/record.py orchestrator/tracking/counts.py orchestrator/tracking/history/mlflow_tracking.py
        orchestrator/tracking/predictions.py orchestrator/tracking/tracker.py
    """,
    "data of installed packages": """
        trainers/detectors/zoo_index.py trainers/schema/zoo.py orchestrator/plan/extensions.py
        orchestrator/reports/paper.py orchestrator/reproduce/tables.py orchestrator/study/json_schema.py
        dashboards/paper.py dashboards/views.py dashboards/web/bundle.py
    """,
    "the system's own": """
        trainers/schema/cpu.py trainers/loop/machine_use.py orchestrator/compat/ray_autoscaler.py orchestrator/compat/ray_process_group.py orchestrator/core/processes.py
        orchestrator/core/standard_streams.py orchestrator/submit/cluster.py
    """,
    "bytes, or a file that is open": """
        trainers/schema/image_header.py trainers/schema/torch_archive.py orchestrator/plan/torch_file.py
        orchestrator/reports/figures/predictions.py
    """,
    "archives by a fixed URL and checksum": "orchestrator/reproduce/fetch_data.py",
    "a config that the user trusts with --trust-config": "trainers/detectors/detector.py",
    "images of the user's own command, in a script that stands alone": "trainers/onnx_export/reader.py",
}
OWN_NAMES = {"read_text", "read_bytes"}  # of the opener, too: without an object they are its functions


def test_no_other_module_opens_files_of_a_study() -> None:
    found = {path for path in modules() if any(_reads(ast.parse((ROOT / path).read_text())))}
    known = {path for paths in OTHERS.values() for path in paths.split()}
    assert sorted(found - known - {OPENER}) == [], f"use {OPENER}, or say in this test whose files they are"
    assert sorted(known - found) == [], "these modules read no file any more"


def test_the_rule_knows_each_way_to_read() -> None:
    for call in (
        "open(x)",
        "path.open()",
        "x.read_text()",
        "Image.open(x)",
        "cv2.imread(x)",
        "np.fromfile(x)",
        "torch.load(x)",
        "os.open(x, 0)",
    ):
        assert any(_reads(ast.parse(call))), call
    for call in ("path.open('w')", "path.open(mode='ab')", "webbrowser.open(x)", "json.load(x)", "ast.walk(x)"):
        assert not any(_reads(ast.parse(call))), call


def _reads(tree: ast.AST) -> Iterator[bool]:
    """Yield whether each call reads a file by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            known = name in QUALIFIED or (name.rpartition(".")[2] in READS and name not in NO_READS | OWN_NAMES)
            yield known and not _writes(node)


def _writes(call: ast.Call) -> bool:
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    modes = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any(len(mode) <= 3 and WRITES.intersection(mode) for mode in modes)
