"""Commands say alike what a local config asks for and does not get; plan and run build its detector in a process."""

import pytest

from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.study.test_local_configs import (
    GFL,
    Folder,
    folder,  # noqa: F401  a fixture
    plan,
)


def test_check_plan_and_json_say_it(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    leaf = folder(leaf_py=f"_base_ = '{GFL}'\nload_from = 'x.pth'\n")
    plan(leaf)
    study = next(leaf.parent.glob("*.yaml"))
    stillhouse = runner(capsys)
    for command in (
        ["check", study],
        ["plan", study, "--store", leaf.parent / "s"],
        ["run", study, "--store", leaf.parent / "s"],
    ):
        answer = stillhouse(*command, "--trust-config")
        assert answer.code == 2
        assert (answer.out + answer.err).count("load_from: training would not start") == 1
    answer = stillhouse("check", study, "--trust-config", "--json")
    assert [finding["level"] for finding in answer.json["findings"]] == ["error"]
    leaf.write_text(f"_base_ = '{GFL}'\noptim_wrapper = dict()\n")
    answer = stillhouse("check", study, "--trust-config")
    assert answer.code == 0
    assert "note: not used" in answer.err
