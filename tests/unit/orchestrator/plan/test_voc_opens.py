"""A plan opens each XML file of a VOC data set once, for its findings and its digest together."""

import hashlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.plan.digests import MISSING, dataset_digest
from orchestrator.plan.plan import Plan
from orchestrator.study.fingerprint import fingerprint
from tests.unit.orchestrator.coco_data import voc_section, write_voc_splits
from tests.unit.orchestrator.planning import ids, plan_text
from tests.unit.orchestrator.study_text import edit
from tests.unit.trainers.voc_folder import SOME, xml
from trainers.schema import VocDataset

SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"
opened: list[str] = []
listening = False


def hear(event: str, arguments: tuple[object, ...]) -> None:
    if listening and event == "open" and str(arguments[0]).endswith(".xml"):
        opened.append(Path(str(arguments[0])).stem)


sys.addaudithook(hear)  # hears of every way to open a file; there is no taking it back


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys.modules[__name__], "listening", True)
    opened.clear()
    return opened


@pytest.fixture
def voc(tmp_path: Path) -> VocDataset:
    return write_voc_splits(tmp_path / "data")


def plan(dataset: VocDataset) -> Plan:
    return plan_text(Path(dataset.root).parent, edit(SHAPES, voc_section(dataset)))


def xml_file(dataset: VocDataset, name: str = "000001") -> Path:
    return Path(dataset.root) / "VOC2007" / "Annotations" / f"{name}.xml"


def plain_digest(dataset: VocDataset) -> str:
    """Compute the digest as earlier releases did."""
    folder = Path(dataset.root) / "VOC2007"
    splits = []
    for name in ("trainval", "test"):
        listed = (folder / "ImageSets" / "Main" / f"{name}.txt").read_bytes()
        files = [folder / "Annotations" / f"{line}.xml" for line in listed.decode().split()]
        rest = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
        splits.append([hashlib.sha256(listed + rest).hexdigest()])
    return fingerprint(splits)


def studied(dataset: VocDataset) -> VocDataset:
    found = plan(dataset).study.dataset
    assert isinstance(found, VocDataset)
    return found


def test_each_annotation_file_is_opened_once(voc: VocDataset, heard: list[str]) -> None:
    first = plan(voc)
    names = [f"{start}{number}" for start in ("00000", "00100") for number in range(4)]
    assert Counter(heard) == Counter(names)
    heard.clear()
    assert ids(plan(voc)) == ids(first)
    assert heard == []


def test_a_damaged_file_is_opened_once_too(voc: VocDataset, heard: list[str]) -> None:
    xml_file(voc).write_text("<annotation>")
    heard.clear()
    plan(voc)
    assert heard.count("000001") == 1
    assert dataset_digest(studied(voc)) == plain_digest(voc)


def rewritten(path: Path) -> None:
    """Write as many bytes at another time."""
    text = path.read_text()
    path.write_text(text.replace("cat", "dog"))
    os.utime(path, ns=(0, 10**18))


def exchanged(path: Path) -> None:
    """Put another file of the same size and time in its place."""
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    other = path.with_suffix(".new")
    other.write_text(path.read_text().replace("cat", "dog"))
    os.utime(other, ns=times)
    other.replace(path)


def relisted(path: Path) -> None:
    """List the images in another order: the files are the same."""
    listed = path.parents[1] / "ImageSets" / "Main" / "trainval.txt"
    listed.write_text("".join(reversed(listed.read_text().splitlines(keepends=True))))


@pytest.mark.parametrize("change", [rewritten, exchanged, relisted])
def test_a_change_after_the_reading_counts(change: Callable[[Path], None], voc: VocDataset) -> None:
    before = studied(voc)
    assert dataset_digest(before) == plain_digest(voc)
    digest = dataset_digest(before)
    change(xml_file(voc))
    assert dataset_digest(before) == plain_digest(voc) != digest


def test_a_file_that_is_gone_is_missing(voc: VocDataset) -> None:
    before = studied(voc)
    xml_file(voc).unlink()
    assert dataset_digest(before) == MISSING


def test_names_outside_of_the_folder_keep_their_digest(voc: VocDataset) -> None:
    folder = Path(voc.root) / "VOC2007"
    (folder / "outside.xml").write_text(xml(SOME))
    (folder / "ImageSets" / "Main" / "trainval.txt").write_text("000000\n../outside\n")
    assert dataset_digest(studied(voc)) == plain_digest(voc)


def test_images_need_not_be_here(voc: VocDataset) -> None:
    before = studied(voc)
    shutil.rmtree(Path(voc.root) / "VOC2007" / "JPEGImages")
    assert dataset_digest(before) == plain_digest(voc)
