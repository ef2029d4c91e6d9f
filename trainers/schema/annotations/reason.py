"""Describe why a file could not be read, without its name, which the finding has already."""


def reason(error: Exception) -> str:
    """Return the system's words for an ``OSError`` of its own, else the error's text."""
    words = getattr(error, "strerror", None)
    return words if isinstance(words, str) else str(error) or type(error).__name__
