"""Draw random numbers that depend only on a seed and their purpose."""

from orchestrator.study.fingerprint import fingerprint

MOST_RANDOM = 10  # points before an estimator has its say, as in Optuna


def seed_of(seed: int, *purpose: object) -> int:
    """Return a seed below 2**32 for one purpose."""
    return int(fingerprint([seed, *purpose])[:8], 16)


def random_first(samples: int) -> int:
    """Return how many of a search's points are drawn before its estimator has its say: of a short search a quarter."""
    return min(MOST_RANDOM, max(1, samples // 4))
