"""A mirror's index is foreign text: anything but names and digests counts as no index."""

import pytest

from orchestrator.storage.mirror import parsed
from orchestrator.submit.record import JobRecords

DIGEST = "0" * 64


@pytest.mark.parametrize("content", [b"[" * 5000, b"[" * 5000 + b"]" * 5000, b"9" * 5000, b"[]", b"\xff", b""])
def test_what_is_no_index_lists_nothing(content):
    assert parsed(content) == {}


def test_names_that_lead_elsewhere_are_left_out():
    content = f'{{"last.pth": "{DIGEST}", "../x": "{DIGEST}", "a": "b", "c": [[]]}}'
    assert parsed(content.encode()) == {"last.pth": DIGEST}


@pytest.mark.parametrize("content", ["[" * 5000, "{}", '{"state": "running"}', '{"state": [[]]}', "9" * 5000])
def test_a_submission_record_of_another_shape_is_none(tmp_path, content):
    records = JobRecords(tmp_path)
    records.folder.mkdir()
    (records.folder / "stillhouse-000000000000-1.json").write_text(content)
    assert records.read("stillhouse-000000000000-1") is None
