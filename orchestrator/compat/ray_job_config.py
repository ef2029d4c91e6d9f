"""Say where the workers of a Ray job look for modules, which Ray keeps private (written against 2.60.0)."""

from collections.abc import Sequence

from ray.job_config import JobConfig


class SearchPathJob(JobConfig):
    """Configure a job whose workers look for modules in ``search_path`` first, in its order.

    Ray would put the folder of the driver's script and its working directory in front of everything else.
    """

    def __init__(self, search_path: Sequence[str]) -> None:
        super().__init__(_py_driver_sys_path=[*reversed(search_path)])  # each worker inserts one after the other at 0

    def _runtime_env_has_working_dir(self) -> bool:
        """Return true, with which Ray leaves both folders out."""
        return True
