"""The image's recipe and the platform around it keep what docs/image.md promises; building them is `make image-check`."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.unit.orchestrator.clusters.schemas import compose_mistakes

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
COMPOSE = {path.name: yaml.safe_load(path.read_text()) for path in DOCKER.glob("compose*.yaml")}


def script(name: str) -> ModuleType:
    """Load a script of the folder docker, which is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PICK, EXAMINE = script("pick"), script("examine")


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions in order, each with its text on one line."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    """Return the instructions of the stage that becomes the image."""
    found = instructions()
    return found[max(index for index, (word, _) in enumerate(found) if word == "FROM") :]


def test_base_is_pinned_by_digest_in_an_argument():
    word, text = instructions()[0]
    assert word == "ARG"
    assert re.fullmatch(r"BASE=\S+@sha256:[0-9a-f]{64}", text)
    assert all(text.startswith(("${BASE}", "tools ")) for word, text in instructions() if word == "FROM")


def test_every_installation_is_by_hash_and_without_compiling():
    installs = [text for word, text in instructions() if word == "RUN" and re.search(r"pip (install|sync)", text)]
    assert len(installs) == 3
    for text in installs:
        assert "--require-hashes" in text or "--offline" in text  # offline: this project's own wheel
    [environment] = [text for text in installs if "pip sync" in text]
    assert "--no-build" in environment
    assert "--compile-bytecode" in environment


def test_image_runs_as_nobody_special_with_a_check_and_its_revision():
    words = dict(last_stage())
    assert words["USER"] == "1000:1000"
    assert "HEALTHCHECK" in words
    assert 'org.opencontainers.image.revision="${REVISION}"' in words["LABEL"]
    assert words["CMD"] == '["stillhouse", "doctor"]'


def test_environment_is_one_layer():
    copied = [text for word, text in last_stage() if word == "COPY"]
    assert copied == [
        "--from=tools /tools/runtime.txt /opt/requirements.txt",
        "--from=project /opt/stillhouse/ /opt/stillhouse/",
    ]
    assert sum("pip sync" in text for word, text in last_stage() if word == "RUN") == 1


def test_recipe_names_no_registry_of_packages_and_keeps_no_secret():
    text = (DOCKER / "Dockerfile").read_text()
    assert re.findall(r"--(index-url|extra-index-url|find-links|trusted-host)", text) == []
    assert [
        word for word, value in instructions() if word in ("ENV", "ARG") and re.search(r"TOKEN=|PASSWORD|CERT", value)
    ] == []


def test_build_context_holds_only_what_the_recipe_copies():
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = [text.split()[:-1] for word, text in instructions() if word == "COPY" and not text.startswith("--from")]
    assert allowed == {source for group in sources for source in group}


def test_runtime_requirements_are_the_projects_without_the_tests_tools():
    names = {PICK.name_of(block) for block in PICK.pick(LOCK, [PICK.PROJECT, "psycopg"])}
    assert {"torch", "ray", "mlflow", "mmdet", "psycopg", "psycopg-binary", "nvidia-cudnn-cu13"} <= names
    assert names.isdisjoint({"pytest", "mypy", "ruff", "moto", "playwright", "schemathesis", "uv", "hatchling"})


def test_picking_follows_who_asked_for_what():
    lock = (
        "# made by hand\na==1 \\\n    --hash=sha256:00\n    # via stillhouse (pyproject.toml)\n"
        "b[x]==2 \\\n    --hash=sha256:01\n    # via\n    #   a\n    #   test\n"
        "c==3 \\\n    --hash=sha256:02\n    # via b\nd==4 \\\n    --hash=sha256:03\n    # via test\n"
        "test==5 \\\n    --hash=sha256:04\n    # via stillhouse (pyproject.toml:dev)\n"
    )
    assert [PICK.name_of(block) for block in PICK.pick(lock, [PICK.PROJECT])] == ["a", "b", "c"]
    assert [PICK.name_of(block) for block in PICK.pick(lock, ["test"])] == ["b", "c", "d", "test"]
    assert PICK.without_comments(PICK.pick(lock, ["d"])[0]) == "d==4 \\\n    --hash=sha256:03"
    with pytest.raises(ValueError, match="the lock has no e"):
        PICK.pick(lock, ["e"])


def test_picked_requirements_can_be_installed_by_hash():
    picked = "\n".join(map(PICK.without_comments, PICK.pick(LOCK, ["uv", "hatchling"])))
    lines = picked.replace("\\\n", " ").splitlines()
    assert all(
        re.fullmatch(r"[a-z0-9-]+(\[\S+\])?==\S+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+", line) for line in lines
    )


def test_examination_finds_compilers_tests_and_traces(tmp_path):
    packages = tmp_path / "opt/stillhouse/lib/python3.11/site-packages"
    for name, content in {
        "usr/bin/x86_64-linux-gnu-gcc-12": "",
        "usr/bin/python3": "",
        "etc/hosts": "10.0.0.1 builder.internal",
        "opt/stillhouse/lib/python3.11/site-packages/tests/test_x.py": "",
        "opt/stillhouse/lib/python3.11/site-packages/numpy/tests/test_y.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    (packages / "link").symlink_to("/home/builder.internal/x")
    found = list(EXAMINE.findings(tmp_path, ["builder.internal"]))
    assert sorted(found) == [
        "/etc/hosts: holds 'builder.internal'",
        "/opt/stillhouse/lib/python3.11/site-packages/link: holds 'builder.internal'",
        "/opt/stillhouse/lib/python3.11/site-packages/tests/test_x.py: a test of this project",
        "/usr/bin/x86_64-linux-gnu-gcc-12: a compiler or linker",
    ]


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_files_fit_the_specification(name):
    assert compose_mistakes(COMPOSE[name]) == []


def test_compose_validation_sees_typing_mistakes():
    assert compose_mistakes({"services": {"a": {"image": "b", "commnd": "c"}}})


def services() -> dict[str, Any]:
    """Return the services of the platform."""
    return dict(COMPOSE["compose.yaml"]["services"])


def test_published_ports_are_for_this_machine_only():
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_secrets_come_from_the_environment_and_have_no_default():
    for name, service in services().items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"TOKEN|PASSWORD|SECRET", key):
                assert re.fullmatch(r"\$\{[A-Z0-9_]+(:\?[^}]*)?\}", value), f"{name}.{key}"
    asked = set(re.findall(r"\$\{([A-Z0-9_]+):\?", (DOCKER / "compose.yaml").read_text()))
    offered = {
        line.partition("=")[0] for line in (DOCKER / "example.env").read_text().splitlines() if line.endswith("=")
    }
    assert asked == offered


def test_what_runs_of_ours_has_no_privileges_and_a_check():
    for name, service in services().items():
        if service.get("network_mode") == "none" or (
            "build" not in service and "STILLHOUSE_IMAGE" not in service["image"]
        ):
            continue
        assert service["cap_drop"] == ["ALL"], name
        assert name == "bucket" or "healthcheck" in service, name


def test_every_ray_process_of_the_platform_asks_for_the_token():
    started = [
        s for s in services().values() if list(s.get("command", ()))[:2] in (["ray", "start"], ["stillhouse", "serve"])
    ]
    assert len(started) == 3
    for service in started:
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["environment"]["RAY_AUTH_TOKEN"].startswith("${RAY_AUTH_TOKEN:?")


def test_scripts_of_the_image_need_the_standard_library_alone():
    """They run where nothing is installed yet."""
    for name in ("pick", "examine"):
        imports = re.findall(r"^(?:import|from) (\w+)", (DOCKER / f"{name}.py").read_text(), flags=re.M)
        assert set(imports) <= sys.stdlib_module_names
