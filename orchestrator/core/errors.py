"""Distinguish users' mistakes from failed operations, which end a command with different exit codes."""


class UserError(Exception):
    """Report an input that the user can correct; the command ends with exit code 2."""


class OperationError(Exception):
    """Report an operation that failed; the command ends with exit code 1."""
