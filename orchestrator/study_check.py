"""Check a study for all that can be told without starting anything, for the command and for Python."""

from orchestrator.data_files import missing_files
from orchestrator.findings import Finding, StudyErrors
from orchestrator.local_configs import config_findings
from orchestrator.study.load import LoadedStudy


def check_study(loaded: LoadedStudy) -> tuple[Finding, ...]:
    """Return everything that is worth knowing; raise ``StudyErrors`` when a local config cannot be used."""
    findings = (*loaded.warnings, *missing_files(loaded), *config_findings(loaded.study))
    if any(finding.level == "error" for finding in findings):
        raise StudyErrors(findings)
    return findings
