"""What the events of a session say of its feeds: messages, lags, gaps with their ends, and all of it once more."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.unit.exchanges.decoding import market
from tradectl.core.codes import EventFlag, EventKind, GapScope
from tradectl.core.event import empty_events
from tradectl.exchanges.feed import Subscription
from tradectl.exchanges.feed_log import FeedLog
from tradectl.exchanges.model import Channel, FeedNote, GapReason
from tradectl.exchanges.tally import Tally

END, SNAPSHOT = int(EventFlag.MESSAGE_END), int(EventFlag.MESSAGE_END | EventFlag.SNAPSHOT_END)
BOTH, QUOTES, BARS = {Channel.TRADES, Channel.DEPTH}, {Channel.QUOTES}, {Channel.OHLCV}
DESK: Any = SimpleNamespace(backoff=lambda: None)


def tally(*channels: set[Channel]) -> tuple[Tally, FeedLog, dict[tuple[int, Channel], Subscription]]:
    markets = [market("x", f"M{k}", f"M{k}/USD", k, wanted) for k, wanted in enumerate(channels)]
    subscribed = {(one.index, c): Subscription(one, c, DESK) for one in markets for c in sorted(one.channels)}
    log = FeedLog()
    return Tally(subscribed.values(), log), log, subscribed


def event(kind: EventKind, recv: int, index: int = 0, flags: int = END, lag: int = 1, **words: int) -> Any:
    made = empty_events(1)
    made["kind"], made["ts_recv"], made["ts_event"] = kind, recv, recv - lag
    made["instrument"], made["flags"] = index, flags
    for name, value in words.items():
        made[name] = value
    return made


def gap(recv: int, since: int, reason: GapReason, index: int = 0, scope: GapScope = GapScope.BOOK) -> Any:
    return event(EventKind.GAP, recv, index, aux=scope, w0=since, w1=recv, w2=reason)


def spans(log: FeedLog) -> list[tuple[str, str, str, str, int, int]]:
    return [(n.what, n.symbol, n.channel, n.text, n.ts_ns, n.until_ns) for n in log.interruptions]


def test_a_gap_begins_with_the_last_message_before_it_and_ends_with_the_whole_book() -> None:
    counted, log, channels = tally(BOTH, QUOTES, BARS)
    counted.add(gap(50, 20, GapReason.CHECKSUM))
    counted.add(gap(51, 30, GapReason.STALE, 1))
    counted.add(gap(52, 40, GapReason.SEQUENCE, 2, GapScope.TRADES))
    counted.settle()
    assert spans(log) == [
        ("gap", "M0/USD", "depth", "checksum", 20, 0),
        ("gap", "M1/USD", "quotes", "stale", 30, 0),
        ("gap", "M2/USD", "ohlcv", "sequence", 40, 52),  # what is missing lies before it
    ]
    assert not channels[0, Channel.DEPTH].whole
    counted.add(event(EventKind.DEPTH, 60, flags=SNAPSHOT))
    counted.add(event(EventKind.QUOTE, 61, 1))
    counted.add(event(EventKind.QUOTE, 62, 1))
    counted.settle()
    assert [until for *_, until in spans(log)] == [60, 61, 52]
    assert [n.until_ns for n in log.notes] == [60, 61, 52]
    assert channels[0, Channel.DEPTH].whole
    assert [one.health.gaps for one in channels.values()] == [0, 1, 1, 1]


def test_every_message_is_counted_once_with_its_lag() -> None:
    counted, log, channels = tally(BOTH, BARS)
    heard: list[int] = []
    log.lags = lambda lags: heard.extend(lags.tolist())
    parts = [event(EventKind.TRADE, 10, flags=0, lag=3), event(EventKind.TRADE, 10, lag=2)]
    parts += [event(EventKind.DEPTH, 11, flags=0), event(EventKind.DEPTH, 11, lag=5)]
    parts += [event(EventKind.BAR, 20, 1, flags=int(EventFlag.LAST), lag=7)]
    parts += [event(EventKind.BAR, 1, 1, flags=int(EventFlag.WARMUP), lag=0), gap(30, 20, GapReason.CHECKSUM)]
    counted.add(np.concatenate(parts))
    counted.settle()
    assert heard == [2, 5, 7]
    assert [one.health.messages for one in channels.values()] == [1, 1, 1]


def test_what_is_not_heard_lasts_until_it_is_connected() -> None:
    log = FeedLog()
    for at, what, channel in (
        (1, "lost", "depth"), (2, "lost", "trades"), (3, "stale", "depth"), (4, "lost", ""), (5, "refused", "depth"),
        (9, "connected", "depth"),
    ):  # fmt: skip
        log.note(FeedNote(at, "x", what, "M0/USD", channel))
    assert [(n.ts_ns, n.until_ns) for n in log.interruptions] == [(1, 9), (2, 0), (3, 9)]
    assert log.noted == {"lost": 3, "stale": 1, "refused": 1, "connected": 1}


def test_a_session_that_goes_on_has_what_was_kept_and_what_the_journal_has_behind_it() -> None:
    first, log, channels = tally(BOTH, BARS)
    log.note(FeedNote(5, "x", "lost", "M0/USD", "trades"))
    first.add(event(EventKind.TRADE, 10))
    first.add(gap(50, 20, GapReason.CHECKSUM))
    channels[0, Channel.DEPTH].health.epoch, channels[0, Channel.DEPTH].health.dropped = 3, 7
    kept = json.loads(json.dumps(first.kept(), default=vars))
    behind = [event(EventKind.TRADE, 60), gap(90, 70, GapReason.RESUME), gap(90, 70, GapReason.RESUME, 1)]

    counted, log, channels = tally(BOTH, BARS)
    log.note(FeedNote(91, "x", "limited"))
    counted.take_up(kept, behind)
    assert log.recalled == log.noted.total() == 5
    assert [note.what for note in log.notes] == ["lost", "gap", "limited", "down", "down"]
    counted.add(event(EventKind.DEPTH, 99, flags=SNAPSHOT))
    counted.settle()
    log.note(FeedNote(98, "x", "connected", "M0/USD", "trades"))
    down = "the session was down for 0.0 s"
    assert spans(log) == [
        ("lost", "M0/USD", "trades", "", 5, 98),
        ("gap", "M0/USD", "depth", "checksum", 20, 70),
        ("down", "M0/USD", "depth", down, 70, 99),
        ("down", "M1/USD", "ohlcv", down, 70, 90),
    ]
    told = [(one.health.messages, one.health.gaps, one.health.epoch, one.health.dropped) for one in channels.values()]
    assert told == [(2, 0, 0, 0), (1, 2, 3, 7), (0, 1, 0, 0)]

    again, log, _ = tally(BOTH, BARS)
    again.take_up(None, [event(EventKind.TRADE, 10), gap(50, 20, GapReason.CHECKSUM), *behind])
    assert [(what, since, until) for what, _, _, _, since, until in spans(log)] == [
        ("gap", 20, 70), ("down", 70, 0), ("down", 70, 90),
    ]  # fmt: skip
