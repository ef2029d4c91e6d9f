"""Draw random numbers that depend on nothing but a seed and what they are for."""

from orchestrator.fingerprint import fingerprint


def seed_of(seed: int, *purpose: object) -> int:
    """Return a seed below 2**32 for one purpose."""
    return int(fingerprint([seed, *purpose])[:8], 16)
