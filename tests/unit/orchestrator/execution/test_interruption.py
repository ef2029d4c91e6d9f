"""The first signal is a wish, the second one an order."""

import signal

import pytest

from orchestrator.execution.interruption import Interruption


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_second_raises(first: signal.Signals, second: signal.Signals) -> None:
    interruption = Interruption()
    before = signal.getsignal(first), signal.getsignal(second)
    with interruption.listening():
        signal.raise_signal(first)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)
    assert (signal.getsignal(first), signal.getsignal(second)) == before


def test_nothing_is_asked_before_a_signal() -> None:
    interruption = Interruption()
    with interruption.listening():
        pass
    assert not interruption.asked
