"""Read 2,000 hostile files of each kind in a process with limits: no hang, no traceback, no memory, nothing is run."""

from pathlib import Path

import pytest

from tests.contract.hostile.bounded import outcomes, slowest

HERE = "tests.contract.hostile"
KINDS = {
    "json": (f"{HERE}.text_files:json_cases", f"{HERE}.readers:annotations"),
    "yaml": (f"{HERE}.text_files:yaml_cases", f"{HERE}.readers:study"),
    "xml": (f"{HERE}.text_files:xml_cases", f"{HERE}.readers:voc"),
    "images": (f"{HERE}.image_files:cases", f"{HERE}.readers:image"),
}


@pytest.mark.parametrize(("generator", "reader"), KINDS.values(), ids=KINDS.keys())
def test_hostile_files_are_read_within_limits(generator: str, reader: str, tmp_path: Path) -> None:
    found = outcomes(generator, reader, tmp_path, 2000)
    print(slowest(found))
    refused = sum(one.said is not None for one in found)
    assert refused > 200, "these files are not hostile"
