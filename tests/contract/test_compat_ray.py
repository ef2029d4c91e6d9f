"""The private parts of Ray that orchestrator/compat uses have the shape that they had in Ray 2.60.0."""

import inspect
import socket
from types import SimpleNamespace

import pytest
from ray._private import state as ray_state
from ray._private import worker
from ray._private.runtime_env.packaging import RAY_PKG_PREFIX
from ray.dashboard.modules.job import job_head
from ray.dashboard.modules.job.common import http_uri_components_to_uri
from ray.train.torch import config as torch_config
from ray.train.torch.config import TorchConfig, _TorchBackend
from ray.train.v2._internal.execution.worker_group import worker_group
from ray.train.v2._internal.execution.worker_group.worker_group import WorkerGroup
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.train.v2.torch.torch_trainer import TorchTrainer
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, HyperBandScheduler
from ray.util.placement_group import placement_group

from orchestrator.compat.ray_job_config import SearchPathJob
from orchestrator.compat.ray_packages import PREFIX, PROTOCOL, package_name, package_path, package_uri
from orchestrator.compat.ray_process_group import OwnAddressBackend, OwnAddressConfig, interface_of
from orchestrator.compat.ray_room import free_on_nodes
from orchestrator.compat.ray_train import (
    GUARD,
    ControllerCallback,
    UnguardedTrainer,
    name_next_placement_groups,
)
from orchestrator.compat.ray_tune import unpauses
from orchestrator.search.trial_state import TrialState
from tests.contract.written_against import against, names_in, parameters

RAY = against("ray", "2.60.0")
METRIC = "score"


def test_ray_train_finds_the_function_that_makes_placement_groups_where_it_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert vars(worker_group)["placement_group"] is placement_group, RAY
    assert "placement_group" in names_in(WorkerGroup._create_placement_group), RAY
    assert "name" in parameters(placement_group), RAY
    monkeypatch.setattr(worker_group, "placement_group", placement_group)  # to be put back at the end
    name_next_placement_groups("mine")
    assert vars(worker_group)["placement_group"].keywords == {"name": "mine"}


def test_the_controller_tells_of_its_start() -> None:
    assert parameters(ControllerCallback.after_controller_start) == ["self", "train_run_context"], RAY


def test_the_guard_over_placement_groups_is_left_out_and_all_else_is_kept() -> None:
    def train() -> None: ...

    guarded, bare = (
        [type(callback).__name__ for callback in make(train)._create_default_callbacks()]
        for make in (TorchTrainer, UnguardedTrainer)
    )
    assert guarded.count(GUARD) == 1, RAY
    assert bare == [name for name in guarded if name != GUARD]
    assert "_create_default_callbacks" in names_in(DataParallelTrainer.fit), RAY


def test_ray_train_starts_the_process_group_that_its_configuration_names() -> None:
    assert OwnAddressConfig(backend="gloo").backend_cls is OwnAddressBackend, RAY
    assert isinstance(TorchConfig.backend_cls, property), RAY
    assert parameters(OwnAddressBackend.on_start) == parameters(_TorchBackend.on_start), RAY
    begun = {"execute", "execute_single", "execute_single_async", "_set_torch_distributed_env_vars"}
    assert begun <= names_in(_TorchBackend.on_start), RAY
    assert parameters(torch_config._set_torch_distributed_env_vars) == [], RAY
    assert {"execute", "execute_single", "execute_single_async", "__len__"} <= set(dir(WorkerGroup)), RAY


def test_ray_tells_what_is_free_on_each_machine_and_which_are_leaving() -> None:
    assert {"state"} <= set(dir(ray_state)), RAY
    assert parameters(ray_state.state.available_resources_per_node) == [], RAY
    assert parameters(ray_state.state.get_draining_nodes) == [], RAY
    assert {"state"} <= names_in(free_on_nodes), RAY


def test_an_address_has_the_interface_that_gloo_and_nccl_are_told() -> None:
    names = {name for _, name in socket.if_nameindex()}
    assert "lo" in names
    assert [interface_of(address) for address in ("127.0.0.1", "127.0.0.9", "::1")] == ["lo"] * 3
    assert interface_of("203.0.113.7") is None
    own = {interface_of(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    assert own <= names | {None}


def test_a_bracket_knows_which_paused_trials_go_on() -> None:
    scheduler = HyperBandScheduler(time_attr="epoch", metric=METRIC, mode="max", max_t=9, reduction_factor=3)
    controller = SimpleNamespace(stop_trial=lambda trial: setattr(trial, "over", True))
    trials = [TrialState(f"t{number}") for number in range(17)]  # 8 to 15 are the bracket that judges first
    for trial in trials:
        scheduler.on_trial_add(controller, trial)
    for number, trial in enumerate(trials):
        trial.begun = True
        trial.waits = scheduler.on_trial_result(controller, trial, {"epoch": 1, METRIC: number}) == "PAUSE"
    assert [trial.trial_id for trial in trials if unpauses(scheduler, trial)] == ["t14", "t15"], RAY
    assert [trial.trial_id for trial in trials if trial.over] == [f"t{number}" for number in range(8, 14)], RAY


@pytest.mark.parametrize("make", [FIFOScheduler, lambda: ASHAScheduler(metric=METRIC, mode="max")])
def test_other_schedulers_let_no_trial_go_on(make) -> None:
    assert not unpauses(make(), TrialState("t0"))


def test_ray_takes_packages_by_this_name_at_this_path() -> None:
    name = package_name("0123456789abcdef" * 4)
    assert PREFIX == RAY_PKG_PREFIX, RAY
    assert package_uri(name) == http_uri_components_to_uri(protocol=PROTOCOL, package_name=name), RAY
    route = package_path("{package_name}").replace(PROTOCOL, "{protocol}")
    source = inspect.getsource(job_head)
    assert f'@routes.get("{route}")' in source, RAY
    assert f'@routes.put("{route}")' in source, RAY


def test_a_job_leaves_out_the_drivers_folders_and_has_ours_in_front() -> None:
    job = SearchPathJob(["/first", "/second"])
    assert job._runtime_env_has_working_dir()
    assert list(job._get_proto_job_config().py_driver_sys_path) == ["/second", "/first"], RAY  # each goes in front
    assert {"_runtime_env_has_working_dir", "_py_driver_sys_path"} <= names_in(worker.connect), RAY
