"""Name the failures that can end a trial, so that callers can choose the next step."""


class TrialError(Exception):
    """Report a failure whose message is one sentence for the user; retrying it unchanged does not help."""


class NonFiniteLoss(TrialError):
    """Report that a loss term became NaN or infinite."""
