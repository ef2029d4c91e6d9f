"""Write lengths of time for people."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def duration(seconds: float) -> str:
    """Return a length of time in its largest unit, with the next smaller one where that is short: ``1 h 20 min``."""
    if seconds < MINUTE_S - 0.5:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / MINUTE_S)
    if minutes < 60:
        return f"{minutes} min"
    if seconds < DAY_S:
        return _two(minutes, 60, "h", "min")
    return _two(round(seconds / HOUR_S), 24, "d", "h")


def _two(amount: int, size: int, unit: str, part: str) -> str:
    whole, rest = divmod(amount, size)
    return f"{whole} {unit} {rest} {part}" if rest else f"{whole} {unit}"
