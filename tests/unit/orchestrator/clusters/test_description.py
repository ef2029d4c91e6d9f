"""A cluster's description is refused with file and line when others could not make a cluster of it."""

import json

import pytest

from orchestrator.clusters.load import load_cluster
from orchestrator.core.findings import StudyErrors
from tests.unit.orchestrator.clusters.described import SHIPPED, description, worker


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_descriptions_are_right(file):
    assert load_cluster(file).platform.kind == file.stem


@pytest.mark.parametrize("kind", ["aws", "gcp", "machines", "kubernetes", "slurm"])
def test_every_platform_can_be_described(kind, tmp_path):
    (tmp_path / "c.yaml").write_text(json.dumps(description(kind)))
    assert load_cluster(tmp_path / "c.yaml").platform.kind == kind


WRONG = {
    "unknown key": ({"workerz": []}, "workerz: unknown key (did you mean workers?)"),
    "unknown platform": ({"platform": {"kind": "azur"}}, "platform.kind: unknown kind azur"),
    "min above max": ({"workers": [worker(min=3, max=2)]}, "workers[0]: min 3 is above max 2"),
    "two groups of one name": ({"workers": [worker(), worker()]}, "workers need distinct names"),
    "no machine type": ({"workers": [worker(machine=None)]}, "aws needs the type of each machine"),
    "a claim at AWS": ({"storage": {"kind": "claim", "claim": "store"}}, "aws cannot have storage of kind claim"),
    "a secret": ({"variables": {"AWS_SECRET_ACCESS_KEY": "x"}}, "rendered files contain no secrets"),
    "a name that ends a shell word": ({"storage": {"kind": "folder", "path": "/a; rm -rf /"}}, "storage.path"),
    "a value that ends a quotation": ({"variables": {"A": "' ; rm -rf / '"}}, "variables.A"),
    "a name with a capital": (
        {"name": "Bad_Name"},
        "name: has two or more small letters, digits and '-', begins with a letter",
    ),
    "a variable in small letters": ({"variables": {"home": "x"}}, "has capital letters, digits and _ only"),
    "a folder that is relative": ({"data": "datasets"}, "data: begins with / and has letters, digits"),
    "an image with an option": ({"image": "--privileged x"}, "image"),
}


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_mistakes_are_told(changes, said, tmp_path):
    (tmp_path / "c.yaml").write_text(json.dumps(description(**changes)))
    with pytest.raises(StudyErrors) as raised:
        load_cluster(tmp_path / "c.yaml")
    assert said in str(raised.value)
    assert "regular expression" not in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'c.yaml'}:1")


def test_a_mistake_is_told_with_its_line(tmp_path):
    text = (SHIPPED / "aws.yaml").read_text().replace("gpus: 1", "gpu: 1")
    (tmp_path / "c.yaml").write_text(text)
    line = text[: text.index("gpu: 1")].count("\n") + 1
    with pytest.raises(StudyErrors, match=rf"c\.yaml:{line}: workers\[0\]\.gpu: unknown key \(did you mean gpus\?\)"):
        load_cluster(tmp_path / "c.yaml")


def test_what_is_no_mapping_is_no_cluster(tmp_path):
    (tmp_path / "c.yaml").write_text("- 1\n")
    with pytest.raises(StudyErrors, match="a cluster is a mapping"):
        load_cluster(tmp_path / "c.yaml")
