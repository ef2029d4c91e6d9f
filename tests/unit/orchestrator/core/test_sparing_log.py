"""A log grows by one message of a kind a minute, however many strangers cause."""

import logging

from orchestrator.core.sparing_log import Sparing

log = logging.getLogger("tests.sparing")


def test_repeated_messages_are_counted_instead_of_written(caplog):
    now = [0.0]
    rule = Sparing(60, lambda: now[0])
    log.addFilter(rule)
    try:
        for second in range(121):
            now[0] = float(second)
            log.warning("refused %s", second)
            if second == 5:
                log.warning("another kind")
    finally:
        log.removeFilter(rule)
    assert [record.getMessage() for record in caplog.records] == [
        "refused 0", "another kind", "refused 60 (and 59 times more since)", "refused 120 (and 59 times more since)",
    ]  # fmt: skip


def test_kinds_are_bounded():
    rule = Sparing()
    for number in range(1000):
        assert rule.filter(logging.LogRecord("x", 30, "file", number, "text", (), None))
    assert len(rule._since) <= 200
