"""Load, check, plan, run and read studies from Python: ``from stillhouse import Study``."""

from orchestrator.api import Study
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.core.version import own_version

__all__ = ["Finding", "OperationError", "Study", "StudyErrors", "UserError"]
__version__ = own_version()
