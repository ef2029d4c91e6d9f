"""Run a throw-away PostgreSQL cluster; tests that need one are skipped where its programs are missing."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.mlflow_server import free_port

PLACES = "/usr/lib/postgresql/*/bin"
SETTINGS = "-c fsync=off -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=50"


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the address of an empty database, password included."""
    programs = folder_of_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL (apt-get install postgresql)")
    pytest.importorskip("psycopg")
    account = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="stillhouse-postgres-"))  # short, and open to that user, unlike tmp_path
    password, port = secrets.token_urlsafe(12), free_port()
    (folder / "password").write_text(password)
    if account:
        for path in (folder, folder / "password"):
            shutil.chown(path, account)
    data = folder / "data"
    run(account, programs / "initdb", "-D", data, "-U", "stillhouse", "--pwfile", folder / "password",
        "-A", "scram-sha-256", "-E", "UTF8", "--no-sync")  # fmt: skip
    control = (programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log")
    try:
        run(account, *control, "-o", f"{SETTINGS} -p {port}", "start")
        yield f"postgresql://stillhouse:{password}@127.0.0.1:{port}/postgres"
    finally:
        run(account, *control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def folder_of_programs() -> Path | None:
    """Return where ``initdb`` and ``pg_ctl`` are, the newest version's."""
    found = sorted(Path("/").glob(f"{PLACES[1:]}/initdb"), key=lambda path: float(path.parts[4]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def unprivileged() -> str | None:
    """Return an account to run PostgreSQL as when this is root, which it refuses."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def run(account: str | None, *command: object) -> None:
    """Run one of PostgreSQL's programs; what it says is shown when it fails."""
    with tempfile.TemporaryFile() as said:  # a pipe would be held open by the server that pg_ctl starts
        done = subprocess.run(
            [str(part) for part in command], stdout=said, stderr=said, cwd="/", user=account, group=None, check=False
        )
        said.seek(0)
        assert done.returncode == 0, said.read().decode()
