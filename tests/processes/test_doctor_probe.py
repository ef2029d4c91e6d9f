"""Doctor asks another process whether mmdet can be imported, as a worker would, and says why where it cannot."""

import pytest

from orchestrator.execution import doctor
from orchestrator.execution.doctor import DoctorCheck, _stack
from orchestrator.execution.opencv import REPAIR
from orchestrator.plan.machine import Machine

FINE = "print('a library greets'); print('2.9.1', {cuda}, '/env/mmcv/_ext.so')"
IMPORTED = DoctorCheck("ok", "mmdet", "imports with torch 2.9.1; mmcv operators from /env/mmcv/_ext.so")


def answer(monkeypatch: pytest.MonkeyPatch, probe: str, gpus: int = 0) -> list[DoctorCheck]:
    monkeypatch.setattr(doctor, "PROBE", probe)
    monkeypatch.setattr(doctor, "this_machine", lambda: Machine(cpus=2, gpus=gpus))
    return list(_stack())


@pytest.mark.parametrize(("gpus", "cuda"), [(0, False), (0, True), (2, True)])
def test_what_imports_is_said_with_its_versions(gpus: int, cuda: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(monkeypatch, FINE.format(cuda=cuda), gpus) == [IMPORTED]


def test_a_device_that_torch_does_not_see_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    unseen = DoctorCheck("fail", "cuda", "2 NVIDIA devices present, but torch sees none")
    assert answer(monkeypatch, FINE.format(cuda=False), gpus=2) == [IMPORTED, unseen]


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ("raise ModuleNotFoundError('No module named mmdet')", "ModuleNotFoundError: No module named mmdet"),
        ("raise SystemExit(3)", "import failed"),
        ("raise ImportError('libGL.so.1: cannot open')", f"ImportError: libGL.so.1: cannot open: {REPAIR}"),
    ],
)
def test_what_does_not_import_is_said_in_its_last_line(probe: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(monkeypatch, probe) == [DoctorCheck("fail", "mmdet", said)]


def test_an_import_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBE_TIMEOUT_S", 0.1)
    [check] = answer(monkeypatch, "import time; time.sleep(600)")
    assert check == DoctorCheck("fail", "mmdet", "importing it took longer than 0.1 s")
