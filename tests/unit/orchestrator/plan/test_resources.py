"""Each trial gets what the study asks for, and as many run at once as fit."""

from pathlib import Path

import pytest

from orchestrator.plan.machine import Machine, this_machine, visible_gpus
from orchestrator.plan.resources import Resources, resources, wanted
from orchestrator.study.load import load_study
from orchestrator.study.schema import ElasticWorkers, Scaling
from tests.unit.orchestrator.planning import STUDIES

NODE = Machine(cpus=64, gpus=8)


@pytest.fixture(scope="module")
def study():
    return load_study(STUDIES / "quickstart.yaml").study


@pytest.fixture
def granted(study):
    def grant(machine: Machine, **scaling: object) -> Resources:
        return resources(study.model_copy(update={"scaling": Scaling(**scaling)}), machine)

    return grant


def test_without_gpus_a_worker_gets_one_cpu(granted):
    assert granted(Machine(4, 0)) == Resources(
        workers=1,
        cpus_per_worker=1,
        teacher_cpus_per_worker=1,
        gpus_per_worker=0.0,
        loader_workers=0,
        concurrent=4,
        sample_every_s=10.0,
    )


def test_where_there_are_gpus_a_worker_gets_one_and_cpus_for_its_loaders(granted):
    found = granted(NODE, workers=2, loader_workers=3)
    assert (found.gpus_per_worker, found.cpus_per_worker, found.concurrent) == (1.0, 4, 4)


def test_loaders_get_no_cpus_of_their_own_without_a_gpu(granted):
    assert granted(Machine(8, 0), loader_workers=3).cpus_per_worker == 1


def test_numbers_in_the_study_win_over_what_is_there(granted):
    found = granted(NODE, cpus_per_worker=16, gpus_per_worker=0.0)
    assert (found.cpus_per_worker, found.gpus_per_worker, found.concurrent) == (16, 0.0, 4)


@pytest.mark.parametrize(
    ("machine", "scaling", "concurrent"),
    [
        (NODE, {"workers": 8}, 1),
        (NODE, {"workers": 9}, 0),
        (NODE, {"gpus_per_worker": 0.5}, 16),
        (NODE, {"gpus_per_worker": 3.0}, 2),
        (NODE, {"cpus_per_worker": 65}, 0),
        (NODE, {"cpus_per_worker": 20}, 3),
        (Machine(64, 0), {"gpus_per_worker": 1.0}, 0),
        (Machine(2, 0), {"workers": 3}, 0),
    ],
    ids=str,
)
def test_as_many_trials_run_at_once_as_fit_whole(granted, machine, scaling, concurrent):
    assert granted(machine, **scaling).concurrent == concurrent


@pytest.mark.parametrize(
    ("nodes", "scaling", "concurrent"),
    [
        ([Machine(8, 1)] * 3, {"gpus_per_worker": 2.0}, 0),  # three GPUs, but no two in one place
        ([Machine(8, 1)] * 3, {"workers": 3}, 1),
        ([Machine(3, 0)] * 2, {"cpus_per_worker": 2}, 2),  # six CPUs, and a third worker would be spread over two nodes
        ([Machine(64, 2), Machine(1, 4)], {}, 3),
        ([Machine(64, 1)] * 2, {"gpus_per_worker": 0.4}, 4),  # a fifth would need a share of each
        ([Machine(64, 10)], {"gpus_per_worker": 0.1}, 64),
    ],
    ids=str,
)
def test_no_worker_is_spread_over_two_nodes(granted, nodes, scaling, concurrent):
    whole = Machine(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes), tuple(nodes))
    assert granted(whole, **scaling).concurrent == concurrent


@pytest.mark.parametrize(("limit", "concurrent"), [(1, 1), (3, 3), (100, 8)])
def test_max_concurrent_lowers_but_never_raises(granted, limit, concurrent):
    assert granted(NODE, max_concurrent=limit).concurrent == concurrent


@pytest.mark.parametrize(
    ("machine", "scaling", "cpus"),
    [
        (Machine(4, 0), {"teacher_cpus_per_worker": 4}, 4),
        (Machine(2, 0), {"teacher_cpus_per_worker": 4}, 2),
        (Machine(8, 0), {"teacher_cpus_per_worker": 4, "workers": 4}, 2),
        (Machine(2, 0), {"teacher_cpus_per_worker": 4, "workers": 4}, 1),
        (Machine(4, 0), {"cpus_per_worker": 3}, 3),
    ],
    ids=str,
)
def test_the_teacher_takes_more_cpus_as_far_as_there_are_any(granted, machine, scaling, cpus):
    found = granted(machine, **scaling)
    assert found.cpus("teacher") == cpus
    assert found.cpus("student") == found.cpus_per_worker


def test_a_worker_is_told_its_threads_and_device(granted):
    found = granted(Machine(4, 0), teacher_cpus_per_worker=4, cpus_per_worker=2, loader_workers=1)
    assert (found.placement("student").threads, found.placement("teacher").threads) == (2, 4)
    assert not found.placement("student").cuda
    assert found.placement("student").loader_workers == 1
    assert granted(NODE, workers=2).placement("student").cuda
    assert granted(NODE, workers=2).placement("student").workers == 2


# the machine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm", "nvidia0-caps"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("visible", "count"),
    [("", 0), ("-1", 0), ("0", 1), ("2,3", 2), (" 0 , 1 ", 2), ("0,-1,1", 1), ("0,1,2,3,4,5", 4), ("GPU-8932f937", 1)],
)
def test_cuda_visible_devices_hides_gpus(devices, visible, count, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus(devices) == count


def test_every_device_counts_when_nothing_hides_them(devices, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(devices) == 4
    assert visible_gpus(devices / "nowhere") == 0


def test_this_machine_has_a_cpu_and_hides_its_gpus_on_demand(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert this_machine().cpus >= 1
    assert this_machine().gpus == 0


@pytest.mark.parametrize(
    ("machine", "scaling", "loaders"),
    [
        (NODE, {}, 7),
        (Machine(128, 8), {}, 8),
        (Machine(24, 8), {}, 2),
        (Machine(8, 8), {}, 0),
        (Machine(8, 1), {"gpus_per_worker": 0.25}, 1),
        (Machine(68, 9, nodes=(NODE, Machine(4, 1))), {}, 3),
        (Machine(64, 0), {}, 0),
        (NODE, {"gpus_per_worker": 0}, 0),
        (NODE, {"loader_workers": 0}, 0),
    ],
)
def test_loaders_are_as_many_as_the_cpus_beside_a_gpu_allow(granted, machine, scaling, loaders):
    found = granted(machine, **scaling)
    assert found.loader_workers == loaders
    assert found.concurrent * found.cpus_per_worker <= machine.cpus


@pytest.mark.parametrize(
    ("machine", "concurrent"),
    [
        (Machine(8, 0), 1),
        (Machine(9, 0), 1),
        (Machine(10, 0), 2),
        (Machine(16, 0), 2),
        (Machine(3, 0), 1),
        (Machine(1, 0), 0),
    ],
)
def test_an_elastic_trial_takes_what_it_can_and_the_next_one_the_rest(granted, machine, concurrent):
    found = granted(machine, workers=ElasticWorkers(min=2, max=8))
    assert (found.workers, found.least_workers, found.concurrent) == (8, 2, concurrent)
    assert wanted(found) == "2, 4 or 8 workers x 1 CPU"
    assert found.placement("student").sizes == (2, 4, 8)


def test_a_fixed_trial_has_one_size(granted):
    found = granted(Machine(8, 0), workers=4)
    assert (found.least_workers, found.placement("student").least, found.placement("student").sizes) == (4, None, (4,))
