"""Name the failures that a trial can end in, so that who runs it can tell what to do next."""


class TrialError(Exception):
    """Report a failure whose message is one sentence for the user; retrying it unchanged does not help."""


class NonFiniteLoss(TrialError):
    """Report that a loss term became NaN or infinite."""
