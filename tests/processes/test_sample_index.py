"""Processes that begin together read annotations once between them, and loader processes map the same samples."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainers.coco_content import content, write
from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.data.test_data import bare
from trainers.data import sample_index
from trainers.data.datasets import build_dataset
from trainers.data.loaders import EvaluationStream, evaluation_batches

READER = """
import sys
from pathlib import Path
from trainers.data import annotated, sample_index
from trainers.schema import CocoDataset
sample_index.WORTH = 0
spec, note = CocoDataset.model_validate_json(sys.argv[1]), Path(sys.argv[2])

def noted(*given):
    with note.open("a") as stream:
        stream.write("read\\n")
    return read(*given)

read, annotated._read = annotated._read, noted
from trainers.data.datasets import build_dataset
data = build_dataset(spec, "train")
print(len(data), [data.get_data_info(place)["instances"] for place in range(len(data))])
"""


def test_of_processes_that_begin_together_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    spec, note = write(tmp_path / "data", content(0, images=50)), tmp_path / "note"
    command = [sys.executable, "-c", READER, spec.model_dump_json(), str(note)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate()[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    data = build_dataset(spec, "train")
    assert said == {f"{len(data)} {[data.get_data_info(place)['instances'] for place in range(len(data))]}\n"}
    assert note.read_text() == "read\n"


def test_loader_processes_map_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sample_index, "WORTH", 0)
    data: Any = build_dataset(write_coco_folder(tmp_path / "data", sizes=[(64, 48)] * 4), "val")
    wanted = bare(evaluation_batches(data, rank=0, world=1, batch_size=1))
    stream = EvaluationStream(data, rank=0, world=1, loader_workers=1, batch_size=1)
    assert bare(stream) == wanted
    stream.close()
    assert list((tmp_path / "cache").glob("samples/*/meta.json"))
