"""Make foreign text safe to print: escape every character that a terminal would act on."""

import unicodedata

# Control characters (ANSI sequences begin with one), invisible formatting such as reversed writing, lone surrogates
# (which no encoding can write), unassigned and private ones, and separators of lines.
ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
LONGEST = 2_000


def printable(text: str) -> str:
    """Return ``text`` as one line without acting characters, cut when it would swamp a screen."""
    shown = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(_escaped(character) for character in shown)


def printable_lines(text: str) -> str:
    """Return ``text`` with every line of it printable."""
    return "\n".join(map(printable, text.split("\n")))


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in ACTING:
        return character
    return character.encode("unicode_escape").decode("ascii")
