"""Cut the text of an error down to one line for the user. Imports nothing heavy."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class when it has no message."""
    return first_line_of(str(error)) or type(error).__name__


def last_line(error: BaseException) -> str:
    """Return the last line of an error's message, or the name of its class when it has no message."""
    return last_line_of(str(error)) or type(error).__name__


def first_line_of(text: str) -> str:
    """Return the first line of a text that is not blank; "" when there is none."""
    return next(iter(text.strip().splitlines()), "")


def last_line_of(text: str) -> str:
    """Return the last line of a text that is not blank; "" when there is none."""
    return next(reversed(text.strip().splitlines()), "")
