"""What a trial uses of its machine is recorded beside its epochs, and changes none of its numbers."""

import threading
from pathlib import Path

import psutil
import pytest
import torch

from tests.unit.trainers.tiny import assert_same_run, job, sgd, trial
from trainers.loop import machine_use
from trainers.loop.loop import train_alone, train_together
from trainers.loop.machine_use import CpuTimes, Memory
from trainers.loop.system_metrics import SystemMetrics, WorkerUse, joined
from trainers.schema.record import Record, read_history, to_lines, to_record
from trainers.schema.system_metrics import CPU_USE, IMAGES_PER_S, LOADING_SHARE, MEMORY, MEMORY_SHARE

CPU = torch.device("cpu")
ON_CPU = {CPU_USE, MEMORY, MEMORY_SHARE, IMAGES_PER_S, LOADING_SHARE}


def test_training_records_them_with_each_epoch_and_is_the_same_to_the_bit_without(tmp_path: Path) -> None:
    spec = trial(schedule=sgd(epochs=2, policy={"kind": "step", "milestones": (1,)}))
    train_alone(job(spec, tmp_path / "sampled", sample_every_s=0.01))
    train_alone(job(spec, tmp_path / "plain"))
    assert_same_run(tmp_path / "sampled", tmp_path / "plain")
    for record in read_history(tmp_path / "sampled"):
        assert set(record.system) == ON_CPU
        assert 0.0 <= record.system[CPU_USE] <= 100.0
        assert 0.0 < record.system[MEMORY_SHARE] < 100.0
        assert 0.0 <= record.system[LOADING_SHARE] <= 100.0
        seconds = record.timing["time/train_s"] + record.timing["time/load_s"]
        assert record.system[IMAGES_PER_S] == pytest.approx(8 / seconds)  # 2 batches of 4
    assert [record.system for record in read_history(tmp_path / "plain")] == [{}, {}]
    assert "system-metrics" not in {thread.name for thread in threading.enumerate()}


def test_students_side_by_side_share_what_their_group_used(tmp_path: Path) -> None:
    schedule = sgd(epochs=1, policy={"kind": "step", "milestones": ()})
    jobs = [
        job(trial(width, schedule=schedule), tmp_path / name, name, sample_every_s=5.0)
        for name, width in (("a", 1.0), ("b", 0.5))
    ]
    assert len(list(train_together(jobs))) == 2
    [one], [other] = (read_history(tmp_path / name) for name in "ab")
    assert one.system == other.system
    assert set(one.system) == ON_CPU
    alone = one.timing["time/train_s"] + one.timing["time/load_s"]  # half of the group's seconds
    assert one.system[IMAGES_PER_S] == pytest.approx(8 / (2 * alone))


def test_means_are_over_the_samples_since_the_last_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([CpuTimes(0, 0), CpuTimes(30, 100), CpuTimes(30, 100), CpuTimes(80, 200)])
    used = iter([1e9, 3e9, 4e9])
    monkeypatch.setattr(machine_use, "cpu_times", lambda: next(times))
    monkeypatch.setattr(machine_use, "memory", lambda: Memory(next(used), 8e9))
    system = SystemMetrics(3600.0, CPU)
    system.restart()
    system._sample()
    first = system.take(images=60, trained_s=2.0, waited_s=1.0)
    assert first == pytest.approx(
        {CPU_USE: 30.0, MEMORY: 2000.0, MEMORY_SHARE: 25.0, IMAGES_PER_S: 20.0, LOADING_SHARE: 100 / 3}
    )
    system.restart()
    assert system.take(0, 0.0, 0.0) == pytest.approx({CPU_USE: 50.0, MEMORY: 4000.0, MEMORY_SHARE: 50.0})
    system.close()


def samplers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "system-metrics"]


def test_one_thread_samples_from_the_first_epoch_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, wide = threading.Semaphore(0), threading.Event()

    def memory() -> Memory:
        taken.release()
        return Memory(4e9 if wide.is_set() else 2e9, 8e9)

    monkeypatch.setattr(machine_use, "memory", memory)
    system = SystemMetrics(0.001, CPU)
    assert samplers() == []
    system.restart()
    assert all(taken.acquire(timeout=60) for _ in range(3))
    wide.set()
    assert 2000.0 < system.take(1, 1.0, 0.0)[MEMORY] < 4000.0, "what was sampled since counts, too"
    system.restart()
    assert samplers() == ["system-metrics"]
    system.close()
    assert samplers() == []


def test_nothing_samples_where_that_is_off_or_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    off = SystemMetrics(None, CPU)
    off.restart()
    assert (samplers(), off.take(1, 1.0, 0.0)) == ([], {})
    off.close()
    monkeypatch.setattr(machine_use, "cpu_times", lambda: 1 / 0)
    blind = SystemMetrics(0.001, CPU)
    blind.restart()
    assert samplers() == []
    blind.close()


def test_a_machine_that_cannot_be_read_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(machine_use, "MEMORY_FILE", tmp_path / "gone")
    system = SystemMetrics(3600.0, CPU)
    system.restart()
    assert set(system.take(1, 1.0, 0.0)) == {IMAGES_PER_S, LOADING_SHARE}
    system.restart()
    assert set(system.take(1, 1.0, 0.0)) == {IMAGES_PER_S, LOADING_SHARE}
    system.close()
    assert [record.message.startswith("no system metrics: ") for record in caplog.records] == [True]


def test_processor_times_leave_out_idling_and_count_guests_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stat").write_text("cpu  100 20 30 400 50 6 7 8 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    monkeypatch.setattr(machine_use, "CPU", tmp_path / "stat")
    assert machine_use.cpu_times() == CpuTimes(busy=100 + 20 + 30 + 6 + 7 + 8, passed=621)


def test_memory_and_times_are_those_that_mlflows_own_monitor_reads() -> None:
    assert machine_use.memory().total == psutil.virtual_memory().total
    before = psutil.cpu_times()
    ours = machine_use.cpu_times()
    after = psutil.cpu_times()
    ticks = 100  # a second
    low, high = (
        sum(getattr(times, name) for name in ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"))
        for times in (before, after)
    )
    assert low * ticks - 10 <= ours.passed <= high * ticks + 10  # each of them is rounded


def test_a_group_has_the_mean_of_its_machines_and_each_gpu_once() -> None:
    def use(machine: str, gpu: str, cpu: float, busy: float) -> WorkerUse:
        return WorkerUse(machine, gpu, {CPU_USE: cpu}, {"utilization_percentage": busy} if gpu else {})

    group = [
        use("a", "u1", 10.0, 70.0),
        use("a", "u2", 10.0, 80.0),
        use("b", "u1", 40.0, 90.0),
        use("b", "u1", 40.0, 90.0),
    ]
    assert joined(group) == {
        CPU_USE: 25.0,
        "system/gpu_0_utilization_percentage": 70.0,
        "system/gpu_1_utilization_percentage": 80.0,
        "system/gpu_2_utilization_percentage": 90.0,
    }
    assert joined([use("a", "", 10.0, 0.0)]) == {CPU_USE: 10.0}
    assert joined([]) == {}


def test_a_gpus_use_is_left_out_where_torch_cannot_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3e9, 4e9))

    def cannot(device: object) -> int:
        raise ModuleNotFoundError("pynvml does not seem to be installed")

    monkeypatch.setattr(torch.cuda, "utilization", cannot)
    cuda = torch.device("cuda", 0)
    assert machine_use.gpu(cuda) == {"memory_usage_megabytes": 1000.0, "memory_usage_percentage": 25.0}
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: 42)
    assert machine_use.gpu(cuda)["utilization_percentage"] == 42.0
    assert machine_use.gpu(CPU) == {}


def test_records_of_before_read_as_ever_and_look_as_ever() -> None:
    plain = Record(epoch=1, step=2, metrics={"a": 1.0})
    assert "system" not in to_lines([plain])
    assert to_record({"epoch": 1, "step": 2, "metrics": {"a": 1.0}}) == plain
    with pytest.raises(TypeError):
        to_record({"epoch": 1, "step": 2, "metrics": {}, "system": {"x": "text"}})
