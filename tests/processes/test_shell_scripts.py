"""The shell texts of clusters and of the image are read and run by bash."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.clusters.ray_file import ray_file
from orchestrator.clusters.scripts import sky_task, slurm_script
from tests.unit.orchestrator.clusters.described import cluster

ROOT = Path(__file__).parents[2]


def test_the_images_check_is_shell():
    subprocess.run(["bash", "-n", str(ROOT / "docker" / "image_check.sh")], check=True)


def scripts() -> list[tuple[str, str]]:
    """Return every shell text that is rendered."""
    task, up = sky_task(cluster("aws"), "s.yaml"), ray_file(cluster("aws", data="/data"), "t")
    commands = [*up["initialization_commands"], *up["head_start_ray_commands"], *up["worker_start_ray_commands"]]
    return [
        ("slurm", slurm_script(cluster("slurm", variables={"A": "b c"}))),
        ("sky setup", task["setup"]),
        ("sky run", task["run"]),
        *((f"ray {number}", command) for number, command in enumerate(commands)),
    ]


@pytest.mark.parametrize(("name", "text"), scripts(), ids=lambda value: value if len(value) < 20 else "")
def test_shell_texts_are_shell(name, text):
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_slurm_script_runs_the_study_with_its_options(tmp_path):
    """Run the script with stand-ins for Slurm's commands: what would srun have started?"""
    for name, body in {
        "scontrol": 'printf "node1\\nnode2\\n"',
        "getent": 'echo "10.0.0.7 STREAM node1"',
        "srun": 'printf "%s\\n" "$@" > "$SEEN"; test -n "$RAY_AUTH_TOKEN"',
        "python": "echo 00ff",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    seen = tmp_path / "seen"
    script = slurm_script(cluster("slurm", environment_folder=str(tmp_path.parent)))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SEEN": str(seen), "SLURM_JOB_ID": "123456"}
    environment |= {"SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_NUM_NODES": "2"}
    arguments = ["bash", "-s", "my study.yaml", "--set", "search.seeds=[0, 1]"]
    subprocess.run(arguments, input=script, text=True, env=environment, check=True)
    words = seen.read_text().splitlines()
    before, after = words[: words.index("--")], words[words.index("--") + 1 :]
    assert before[before.index("--address") + 1] == "10.0.0.7:23456"
    assert before[before.index("--min-nodes") + 1] == "2"
    assert after[:3] == ["stillhouse", "run", "my study.yaml"]
    assert after[-2:] == ["--set", "search.seeds=[0, 1]"]
    assert not any("00ff" in word for word in words)  # no token on a command line
