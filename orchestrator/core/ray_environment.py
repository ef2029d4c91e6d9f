"""Set Ray's environment variables before it is imported: its native parts read some of them at import."""

import os
import secrets
import sys

from orchestrator.core.errors import UserError
from orchestrator.core.processes import this_process

SETTINGS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths keep their meaning
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # the default, 2 s, delays every report by as much
    "OMP_WAIT_POLICY": "PASSIVE",  # two threads that spin for each other train 5 times slower beside another process
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",  # variables of the study count more than those of submit's --env
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing phones home unless the user says so
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",  # nothing here loads a model from MLflow, and nothing may
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # an interruption is ours to handle: its trials are unfinished, not stopped
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # epochs without an evaluation are reported too
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # nobody reads what Tune writes about all trials, hundreds of MB of thousands
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a failure is one line of ours; the traceback is in the trial's directory
    "SPT_NOENV": "1",  # processes that rename themselves keep their environment readable, and the mark in it
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


DRIVER = "STILLHOUSE_DRIVER"  # which process a run is of: every process of a local Ray inherits it
# Read by Ray as: may there be other machines? "0" makes every process of a local Ray listen on loopback only.
OTHER_MACHINES = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


READ_AT_IMPORT = "Ray reads its settings when it is imported"
# The tokens of the processes, by their ids, whose Ray was imported after ``prepare``; a fork is another process.
_tokens: dict[int, str] = {}


def require_unused_ray() -> None:
    """Raise ``UserError`` where Ray was imported before its settings stood, or is connected by somebody else."""
    ray = sys.modules.get("ray")
    if ray is None:
        return
    if os.getpid() not in _tokens:
        raise UserError(
            f"ray was imported in this process before the study ran, and {READ_AT_IMPORT}: restart Python (in a notebook, "
            "the kernel), and run the study before anything imports ray"
        )
    if ray.is_initialized():
        raise UserError("this process is connected to a Ray already, which a run would end: call ray.shutdown() first")


def prepare(address: str | None) -> None:
    """Fill in our settings where the user has none; a Ray of our own gets a token that nobody else knows.

    Ray runs any code that it receives. A local Ray therefore listens on loopback only and requires a token that other
    users of this machine lack. A cluster at ``address`` has its own token, which the user's environment must provide.
    """
    if "ray" not in sys.modules:
        _tokens[os.getpid()] = secrets.token_hex(32)
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)
    os.environ[DRIVER] = this_process().identity
    if address is None:
        os.environ[OTHER_MACHINES] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        # An imported Ray has read its token, and keeps it for every cluster that this process starts.
        os.environ["RAY_AUTH_TOKEN"] = _tokens.get(os.getpid()) or secrets.token_hex(32)
        os.environ.pop("RAY_ADDRESS", None)
