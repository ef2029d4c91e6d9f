"""Define the exit codes of every command."""

OK, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
