"""Say where the workers of a Ray job look for modules, which Ray keeps private (written against 2.60.0)."""

from collections.abc import Mapping, Sequence

from ray.job_config import JobConfig


class SearchPathJob(JobConfig):
    """Configure a job whose workers look for modules in ``search_path`` first, in its order, and have ``variables``.

    Ray would put the folder of the driver's script and its working directory in front of everything else.
    """

    def __init__(self, search_path: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        super().__init__(
            runtime_env={"env_vars": dict(variables)} if variables else None,
            _py_driver_sys_path=list(reversed(search_path)),
        )  # each worker inserts one after the other at 0

    def _runtime_env_has_working_dir(self) -> bool:
        """Return true, with which Ray leaves both folders out."""
        return True
