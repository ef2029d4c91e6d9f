"""Run a real MLflow server that keeps users, passwords and permissions itself: ``mlflow server --app-name basic-auth``."""

from pathlib import Path
from typing import Any

import httpx

from tests.contract.mlflow_server import MlflowServer

ADMIN, ADMIN_PASSWORD = "root", "only for administrators"
# Without its cache the server hashes the password anew for each request, which takes 0.1 s of a core.
SETTINGS = """[mlflow]
default_permission = READ
database_uri = sqlite:///{users}
auth_cache_ttl_seconds = 600
"""


class PasswordServer(MlflowServer):
    """Own a server that lets in whom its administrator adds; by default they may read everything and create experiments."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "basic_auth.ini"
        settings.write_text(SETTINGS.format(users=folder / "users.db"), encoding="utf-8")
        variables = {
            "MLFLOW_AUTH_CONFIG_PATH": str(settings),
            "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
        }
        super().__init__(folder, variables=variables, options=("--app-name", "basic-auth"))

    def add_user(self, name: str, password: str) -> None:
        """Let a user in."""
        self._administer("POST", "2.0/mlflow/users/create", username=name, password=password)

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password."""
        self._administer("PATCH", "2.0/mlflow/users/update-password", username=name, password=password)

    def create_experiment(self, name: str) -> str:
        """Return the id of a new experiment that belongs to the administrator."""
        return str(self._administer("POST", "2.0/mlflow/experiments/create", name=name)["experiment_id"])

    def grant(self, user: str, experiment: str, permission: str) -> None:
        """Set the permission that a user has on an experiment."""
        self._administer(
            "POST", "3.0/mlflow/users/permissions/grant", username=user, resource_type="experiment",
            resource_id=experiment, permission=permission,
        )  # fmt: skip

    def experiments(self) -> list[str]:
        """Return the names of all experiments."""
        found = self._administer("POST", "2.0/mlflow/experiments/search", max_results=1000)
        return [one["name"] for one in found["experiments"]]

    def _administer(self, method: str, path: str, **content: object) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.address}/api/{path}", auth=(ADMIN, ADMIN_PASSWORD), json=content)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found
