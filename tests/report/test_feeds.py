"""The feeds of a paper session, from the summary that such a session leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tradectl.report.feeds import feeds
from tradectl.report.model import Report

CHANNEL = {
    "instrument": "X:A", "channel": "depth", "state": "closed", "connections": 2, "messages": 1_234, "gaps": 1,
    "dropped": 0, "lag_ms": 1.5,
}  # fmt: skip
SECOND = timedelta(seconds=1)
LATENCY = {"count": 10, "p50_us": 100.0, "p90_us": 200.0, "p99_us": 300.0, "p99_9_us": 400.0, "max_us": 2_000.0}


def told(report: Report, **more: Any) -> Report:
    sent = report.data.orders["ts_submitted"]
    first, last = (str((sent[k] + off).isoformat()) for k, off in ((0, -SECOND), (1, SECOND)))
    gap = {"at": first, "until": last, "exchange": "x", "what": "gap", "symbol": "A", "channel": "depth"}
    lost = {**gap, "at": last, "until": None, "what": "lost", "channel": "trades", "text": "closed", "orders": 0}
    found = {
        "channels": [CHANNEL], "interruptions": [{**gap, "text": "checksum", "orders": 2}, lost], "orders_meanwhile": 2,
        "latency": {"message_to_fold": LATENCY, "step": {"count": 0}}, "resumed": [], "lifted_stamps": 3, **more,
    }  # fmt: skip
    summary = {**report.summary, "mode": "paper", "ended": "its time was over", "feeds": found}
    return replace(report, data=replace(report.data, summary=summary))


def test_interruptions_and_what_was_decided_inside(bars: Report) -> None:
    section = feeds(told(bars))
    assert section is not None
    page = section.html()
    for text in (
        "2 interruptions, 1 of them gaps; 2 orders", "its time was over", "checksum", "to the end",
        "What was decided during them: 2 orders", "1,234", "100 µs", "2 ms", "3 stamps went back",
    ):  # fmt: skip
        assert text in page


def test_what_has_no_end_lasts_to_the_end(bars: Report) -> None:
    sent = bars.data.orders["ts_submitted"]
    at = f"{sent[0].isoformat()}".replace("+00:00", "") + ".000000000+00:00"
    open_end = {"at": at, "exchange": "x", "what": "lost", "symbol": "A", "channel": "depth", "orders": len(sent) - 1}
    resumed = [{"events": 5, "from_ns": 1, "at_ns": 1_700_000_000_000_000_000}]
    unnoted = [{"at": "2024-01-01T00:00:00.000000001+00:00", "until": "2024-01-01T00:01:00.000000001+00:00"}]
    section = feeds(told(bars, interruptions=[open_end], interrupted=300, resumed=resumed, unnoted=unnoted))
    assert section is not None
    page = section.html()
    for text in (
        "300 interruptions", "100 of 300 interruptions", "to the end", "Resumed: 2023-11-14 22:13:20.",
        f"What was decided during them: {(sent > sent[0]).sum()} orders",
        "2024-01-01 00:00:00 to 2024-01-01 00:01:00, before it was broken off",
    ):  # fmt: skip
        assert text in page


def test_a_session_without_interruptions(bars: Report) -> None:
    section = feeds(told(bars, interruptions=[], orders_meanwhile=0))
    assert section is not None
    assert "What was decided" not in section.html()


def test_a_backtest_has_no_feeds(bars: Report) -> None:
    assert feeds(bars) is None
