"""Record the provenance of a result: package versions, git revision, and its sections without secrets."""

import json
import os
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

from orchestrator.core.redact import redacted_data
from trainers.schema.digest import file_digest

PACKAGES = ("torch", "torchvision", "mmdet", "mmengine", "ray", "mlflow", "faster-coco-eval", "stillhouse")
LOCK = "requirements.lock"


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_revision() -> str | None:
    """Return the revision that an image names, else that of the checkout that this code runs from, else ``None``."""
    if os.environ.get("STILLHOUSE_REVISION", "unknown") != "unknown":
        return os.environ["STILLHOUSE_REVISION"]
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def lock_digest() -> str | None:
    """Return the SHA-256 of the lock file of the checkout that this code runs from, ``None`` outside a checkout."""
    lock = Path(__file__).parents[2] / LOCK
    return file_digest(lock) if lock.is_file() else None


def shown(section: BaseModel) -> str:
    """Return a section as JSON text without the secrets that it may hold, such as a password in an address."""
    return json.dumps(redacted_data(section.model_dump(mode="json")), indent=2)
