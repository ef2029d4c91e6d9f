"""Check a study for all that can be told without starting anything, for the command and for Python."""

from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.dataset_check.data_files import missing_files
from orchestrator.study.load import LoadedStudy
from orchestrator.study.local_configs import config_findings


def check_study(loaded: LoadedStudy) -> tuple[Finding, ...]:
    """Return everything that is worth knowing; raise ``StudyErrors`` when a local config cannot be used."""
    findings = (*loaded.warnings, *missing_files(loaded), *config_findings(loaded.study))
    if any(finding.level == "error" for finding in findings):
        raise StudyErrors(findings)
    return findings
