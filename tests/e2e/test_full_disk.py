"""A study whose disk fills up while it trains keeps what it has, prints its table, and continues when there is room."""

import json
from pathlib import Path

import pytest

from tests.contract.full_disk import on_small_disk

TRAINING = "[ $(ls '{disk}'/trials/*/history.jsonl 2> /dev/null | wc -l) -ge 2 ]"  # the teacher, and one student
SCRIPT = """
set +e
stillhouse "$@" > {folder}/first & running=$!
until {training} || ! kill -0 $running 2> {folder}/ignored; do sleep 0.1; done
fill
wait $running; echo $? > {folder}/code
rm '{disk}/filler'
stillhouse "$@"
"""


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_disk_that_fills_up_while_students_train_takes_no_table_with_it(tiny_study: Path, tmp_path: Path) -> None:
    disk = tmp_path / "store"
    script = SCRIPT.format(folder=tmp_path, disk=disk, training=TRAINING.format(disk=disk))
    options = ("run", tiny_study, "--store", disk, "--json", "--tracker-wait", 2, "--set", "search.space={}")
    done = on_small_disk(disk, script, *options, size="300m")
    assert (tmp_path / "code").read_text().strip() == "1", done.stderr
    first = json.loads((tmp_path / "first").read_text())["trials"]
    assert (len(first), first[0]["status"]) == (3, "finished")
    assert "Traceback" not in done.stderr
    assert f"cannot write to {disk}/trials/" in done.stderr
    assert "No space left on device; run again" in done.stderr
    assert done.returncode == 0, done.stderr
    assert {trial["status"] for trial in json.loads(done.stdout)["trials"]} == {"finished"}
