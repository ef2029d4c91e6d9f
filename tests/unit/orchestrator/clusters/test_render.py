"""Rendered files fit the schemas of those who read them, and say what the description says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.clusters.kubernetes import ray_cluster
from orchestrator.clusters.load import load_cluster
from orchestrator.clusters.ray_file import ray_file
from orchestrator.clusters.render import render
from orchestrator.clusters.scripts import sky_task, slurm_script
from orchestrator.clusters.study_files import StudyFiles
from orchestrator.core.errors import UserError
from tests.unit.orchestrator.clusters.described import PLATFORMS, SHIPPED, cluster, worker
from tests.unit.orchestrator.clusters.full import GOLDEN
from tests.unit.orchestrator.clusters.full import rendered as fully_rendered
from tests.unit.orchestrator.clusters.schemas import kuberay_mistakes, ray_mistakes, with_typo
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.study_text import VALID, write

STUDY = StudyFiles("name: x\nmethod: {kind: none}\n")


def rendered(kind: str, **changes: Any) -> dict[str, list[Any]]:
    """Return the documents of all files of a cluster, by what follows its name in theirs."""
    files = render(cluster(kind, **changes), STUDY)
    return {name.removeprefix("tiny."): list(yaml.safe_load_all(text)) for name, text in files.items()}


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_clusters_fit_the_schemas(file):
    checked = 0
    for name, text in render(load_cluster(file), STUDY).items():
        for document in yaml.safe_load_all(text) if name.endswith(".yaml") else ():
            if name.endswith(".ray.yaml"):
                assert ray_mistakes(document) == []
            elif document.get("apiVersion") == "ray.io/v1":
                assert kuberay_mistakes(document) == []
            checked += 1
    assert checked or file.stem == "slurm"


@pytest.mark.parametrize("kind", PLATFORMS)
def test_a_cluster_with_every_key_is_rendered_as_the_golden_file(kind):
    """A schema lets a smallest and a largest number change places; ``full.py`` writes the files anew."""
    assert fully_rendered(kind) == (GOLDEN / f"{kind}.txt").read_text(encoding="utf-8")


def test_keys_that_are_not_given_leave_nothing_behind():
    script = slurm_script(cluster("slurm", workers=[worker(gpus=0)]))
    assert "None" not in script
    assert "gpus-per-node" not in script
    node = ray_file(cluster("aws", platform={"kind": "aws", "region": "us-east-1"}))["available_node_types"]["gpu"]
    assert {"ImageId", "IamInstanceProfile"}.isdisjoint(node["node_config"])
    assert "availability_zone" not in ray_file(cluster("aws"))["provider"]
    assert "ssh_private_key" not in ray_file(cluster("machines"))["auth"]
    assert "--gpus all" not in sky_task(cluster("aws", workers=[worker(gpus=0)]), "s.yaml")["run"]
    pod = ray_cluster(cluster("kubernetes"))["spec"]["workerGroupSpecs"][0]["template"]["spec"]
    assert "nodeSelector" not in pod
    assert "envFrom" not in pod["containers"][0]


@pytest.mark.parametrize("kind", ["aws", "gcp", "machines"])
@pytest.mark.parametrize("image", [None, "registry.example.com/image:1"])
def test_launcher_files_fit_rays_schema(kind, image):
    assert ray_mistakes(ray_file(cluster(kind, image=image), "token")) == []


def test_validation_sees_typing_mistakes():
    job = rendered("kubernetes")["rayjob.yaml"][1]
    assert kuberay_mistakes(job) == []
    pod = ("spec", "rayClusterSpec", "workerGroupSpecs", 0, "template", "spec")
    assert kuberay_mistakes(with_typo(job, *pod, "tolerations", 0, "operator"))
    assert kuberay_mistakes(with_typo(job, *pod, "containers", 0, "resources", "limits"))
    assert kuberay_mistakes(with_typo(job, "spec", "backoffLimit"))
    assert ray_mistakes(with_typo(ray_file(cluster("aws")), "docker", "run_options"))
    assert ray_mistakes(with_typo(ray_file(cluster("aws")), "available_node_types", "gpu", "max_workers"))


def test_workers_are_from_the_spot_market_and_the_head_is_not():
    aws = ray_file(cluster("aws"))["available_node_types"]
    assert aws["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in aws["head"]["node_config"]
    gcp = ray_file(cluster("gcp"))["available_node_types"]
    models = {name: node["node_config"]["scheduling"]["provisioningModel"] for name, node in gcp.items()}
    assert models == {"head": "STANDARD", "gpu": "SPOT"}
    plain = ray_file(cluster("aws", workers=[worker(spot=False)]))["available_node_types"]
    assert "InstanceMarketOptions" not in plain["gpu"]["node_config"]


def test_no_trial_is_placed_on_the_head_and_the_driver_is():
    head = ray_file(cluster("aws"))["available_node_types"]["head"]["resources"]
    assert (head["CPU"], head["GPU"]) == (0, 0)
    assert head["safe"] > 0
    group = ray_cluster(cluster("kubernetes"))["spec"]["headGroupSpec"]["rayStartParams"]
    assert (group["num-cpus"], group["num-gpus"]) == ("0", "0")
    assert "safe" in rendered("kubernetes")["rayjob.yaml"][1]["spec"]["entrypointResources"]


def test_machines_end_by_themselves():
    aws = ray_file(cluster("aws", max_hours=3))
    assert aws["initialization_commands"][0] == "sudo shutdown -h +180"
    head = aws["available_node_types"]["head"]["node_config"]
    assert head["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert aws["provider"]["cache_stopped_nodes"] is False
    node = ray_file(cluster("gcp", max_hours=3))["available_node_types"]["gpu"]["node_config"]["scheduling"]
    assert (node["maxRunDuration"], node["instanceTerminationAction"]) == ({"seconds": 10800}, "DELETE")
    assert rendered("kubernetes", max_hours=3)["rayjob.yaml"][1]["spec"]["activeDeadlineSeconds"] == 10800
    assert "shutdown" not in str(ray_file(cluster("machines")))  # they are the user's own


def test_every_way_asks_for_the_token_and_holds_none():
    launched = ray_file(cluster("aws"), "/keys/auth_token")
    assert list(launched["file_mounts"].values()) == ["/keys/auth_token"]
    for command in (launched["head_start_ray_commands"][1], launched["worker_start_ray_commands"][1]):
        assert "RAY_AUTH_MODE='token'" in command
    assert ray_cluster(cluster("kubernetes"))["spec"]["authOptions"] == {"mode": "token"}
    assert sky_task(cluster("aws"), "s.yaml")["secrets"] == {"RAY_AUTH_TOKEN": None}
    assert "RAY_AUTH_MODE=token" in slurm_script(cluster("slurm"))
    assert "--dashboard-host=127.0.0.1" in launched["head_start_ray_commands"][1]


def test_pods_run_without_privileges_and_may_use_spot_nodes_only_as_workers():
    own = {"kind": "kubernetes", "spot_tolerations": [{"key": "spot"}], "spot_selector": {"spot": "yes"}}
    spec = ray_cluster(cluster("kubernetes", platform=own))["spec"]
    head, [group] = spec["headGroupSpec"]["template"]["spec"], spec["workerGroupSpecs"]
    pod = group["template"]["spec"]
    for one in (head, pod):
        assert one["securityContext"]["runAsNonRoot"] is True
        assert one["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {toleration["key"] for toleration in pod["tolerations"]} == {"nvidia.com/gpu", "spot"}
    assert pod["nodeSelector"] == {"spot": "yes"}
    assert "tolerations" not in head
    assert "nodeSelector" not in head
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_rayjob_carries_the_study_and_goes_when_it_ends():
    config, job = rendered("kubernetes")["rayjob.yaml"]
    assert config["data"] == {"study.yaml": STUDY.text}
    assert job["spec"]["shutdownAfterJobFinishes"] is True
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    [volume] = [volume for volume in head["volumes"] if "configMap" in volume]
    [mount] = [mount for mount in head["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]]
    assert f"run {mount['mountPath']}/study.yaml" in job["spec"]["entrypoint"]
    assert list(render(cluster("kubernetes"))) == ["tiny.raycluster.yaml"]  # without a study there is no job


def local_study(tmp_path: Path) -> Path:
    (tmp_path / "own net.py").write_text("_base_ = 'mmdet::gfl/gfl_r50_fpn_1x_coco.py'\n")
    return write(tmp_path, VALID.replace("  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py", "  config: own net.py"))


def test_a_study_with_a_local_config_goes_with_it_and_with_the_users_word(tmp_path, capsys):
    study = local_study(tmp_path)
    stillhouse = runner(capsys)
    refused = stillhouse("cluster", "render", SHIPPED / "kubernetes.yaml", "--study", study)
    assert (refused.code, "--trust-config" in refused.err) == (2, True)
    for kind in ("kubernetes", "gcp"):
        to = ("--trust-config", "--output", tmp_path / kind)
        answer = stillhouse("cluster", "render", SHIPPED / f"{kind}.yaml", "--study", study, *to)
        assert answer.code == 0, answer.err
    config, job = yaml.safe_load_all((tmp_path / "kubernetes" / "stillhouse.rayjob.yaml").read_text())
    assert kuberay_mistakes(job) == []
    assert "run /etc/stillhouse/study.yaml --trust-config --address" in job["spec"]["entrypoint"]
    named = yaml.safe_load(config["data"]["study.yaml"])["student"]["config"]
    spec = job["spec"]["rayClusterSpec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):  # workers build the detector
        [volume] = [one for one in group["template"]["spec"]["volumes"] if "configMap" in one]
        places = {item["path"]: item["key"] for item in volume["configMap"]["items"]}
        assert config["data"][places[named]] == (tmp_path / "own net.py").read_text()
    [task] = (tmp_path / "gcp").glob("*.sky.yaml")
    sky = yaml.safe_load(task.read_text())
    assert "stillhouse run /study.yaml --trust-config --address" in sky["run"]
    assert "--volume ~/configs:/configs:ro" in sky["run"]
    carried = tmp_path / "gcp" / sky["file_mounts"]["~/configs"] / Path(named).relative_to("configs")
    assert carried.read_text() == (tmp_path / "own net.py").read_text()


def test_sky_task_has_the_keys_that_skypilot_documents():
    task = rendered("gcp")["sky.yaml"][0]
    assert set(task) == {"name", "num_nodes", "resources", "file_mounts", "secrets", "setup", "run"}
    assert task["resources"]["infra"] == "gcp/r/r-a"
    assert task["resources"]["use_spot"] is True
    assert task["num_nodes"] == 4
    assert task["file_mounts"] == {"~/study.yaml": "./tiny.study.yaml"}
    assert render(cluster("gcp"), STUDY)["tiny.study.yaml"] == STUDY.text
    with pytest.raises(UserError, match="with an image"):
        sky_task(cluster("aws", image=None), "s.yaml")


def test_slurm_script_asks_for_what_is_described():
    script = slurm_script(cluster("slurm", workers=[worker(max=3)], platform={"kind": "slurm", "hours": 7}))
    lines = set(script.splitlines())
    wanted = {"nodes=3", "cpus-per-task=8", "gpus-per-node=2", "mem=32G", "time=7:00:00", "ntasks-per-node=1"}
    assert {f"#SBATCH --{option}" for option in wanted} <= lines
    assert script.startswith("#!/bin/bash\n#SBATCH")


def test_mirror_and_data_reach_every_process():
    wanted = {"mirror": "s3://bucket/copies", "data": "/data"}
    variables = {"STILLHOUSE_MIRROR": "s3://bucket/copies", "STILLHOUSE_DATA": "/data"}
    assert variables.items() <= cluster("aws", **wanted).environment.items()
    launched = ray_file(cluster("machines", image=None, **wanted))
    commands = [launched["head_start_ray_commands"][1], launched["worker_start_ray_commands"][1]]
    options = ray_file(cluster("aws", **wanted))["docker"]["run_options"]
    pods = rendered("kubernetes", **wanted)["raycluster.yaml"][0]["spec"]
    groups = [pods["headGroupSpec"], *pods["workerGroupSpecs"]]
    for name, value in variables.items():
        assert all(f"{name}='{value}'" in command for command in commands)
        assert f"--env {name}='{value}'" in options
        for group in groups:
            assert {"name": name, "value": value} in group["template"]["spec"]["containers"][0]["env"]
        assert f"export {name}={value}" in slurm_script(cluster("slurm", **wanted))
        assert f"--env {name}={value}" in sky_task(cluster("gcp", **wanted), "s.yaml")["run"]
