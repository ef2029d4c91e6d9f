"""A stream that pretends to be a terminal."""

import io


class PretendedTerminal(io.StringIO):
    """Collect what is written, as a terminal would show it; COLUMNS gives its width."""

    def isatty(self) -> bool:
        return True
