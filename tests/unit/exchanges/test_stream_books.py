"""Books whose snapshot comes in the stream: Kraken, Bybit, OKX and Coinbase under every fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.exchanges.decoding import SECOND
from tests.unit.exchanges.venues import CHECKED, MS, NUMBERED, T0, VENUES, Levels, begun
from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.model import Channel, GapReason, Malformed, NeedKind


@pytest.mark.parametrize("name", VENUES)
def test_a_book_follows_the_venue(name: str) -> None:
    venue, driver = begun(name)
    driver.say(venue.update([("100.1", "0.500"), ("99.9", "0")], [("100.2", "0.100")]), Channel.DEPTH)
    driver.say(venue.update([], [("100.4", "0.000")]))
    assert driver.book() == venue.levels()
    assert not driver.gaps
    assert not driver.needs
    flags = [int(event["flags"]) for event in driver.events]
    end = int(EventFlag.MESSAGE_END)
    assert flags == [EventFlag.SNAPSHOT_BEGIN, 0, 0, EventFlag.SNAPSHOT_END | end, 0, 0, end, end]
    assert all(0 <= event["ts_event"] - T0 * MS <= SECOND for event in driver.events)


@pytest.mark.parametrize("name", VENUES)
def test_changes_before_the_snapshot_are_left_aside_and_one_that_never_comes_is_asked_for(name: str) -> None:
    venue = VENUES[name]()
    driver = venue.driver()
    for _ in range(25):
        driver.now += SECOND // 2
        assert driver.say(venue.update([("100.0", "1.000")], [("101.0", "1.000")])) == []
    assert [(need.kind, need.channel) for need in driver.needs] == [(NeedKind.RESUBSCRIBE, Channel.DEPTH)]
    driver.say(venue.snapshot())
    assert driver.book() == venue.levels()
    assert not driver.gaps


@pytest.mark.parametrize("name", VENUES)
def test_a_second_snapshot_replaces_the_book(name: str) -> None:
    venue, driver = begun(name)
    venue.change([("100.0", "0"), ("99.0", "3.000")], [("100.4", "0")])
    driver.say(venue.snapshot())
    assert driver.book() == venue.levels()
    driver.say(venue.update([("99.1", "1.000")], []))
    assert driver.book() == venue.levels()
    assert not driver.gaps


@pytest.mark.parametrize("name", VENUES)
def test_a_lost_connection_is_a_gap_until_the_next_snapshot(name: str) -> None:
    venue, driver = begun(name)
    driver.lose()
    driver.lose()
    assert driver.gaps == [(0, GapReason.CONNECTION)]
    assert not [need for need in driver.needs if need.channel == Channel.DEPTH]  # it comes back by itself
    assert driver.say(venue.update([("99.5", "1.000")], [])) == []
    driver.connect()
    driver.say(venue.snapshot())
    driver.say(venue.update([("99.6", "1.000")], []))
    assert driver.book() == venue.levels()
    assert driver.gaps == [(0, GapReason.CONNECTION)]


@pytest.mark.parametrize("name", NUMBERED)
def test_a_missing_message_breaks_the_book_once(name: str) -> None:
    venue, driver = begun(name)
    venue.update([("99.5", "1.000")], [])
    driver.say(venue.update([("99.6", "1.000")], []))
    driver.say(venue.update([("99.7", "1.000")], []))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    assert [(need.kind, need.channel) for need in driver.needs] == [(NeedKind.RESUBSCRIBE, Channel.DEPTH)]
    driver.say(venue.snapshot())
    assert driver.book() == venue.levels()


@pytest.mark.parametrize("name", CHECKED)
def test_a_missing_message_shows_in_the_checksum(name: str) -> None:
    venue, driver = begun(name)
    lost = venue.update([("100.1", "1.000")], [])
    message = venue.update([("99.6", "1.000")], [])
    if name == "okx":
        message["data"][0]["prevSeqId"] = lost["data"][0]["prevSeqId"]  # the numbering alone would not tell
    before = len(driver.events)
    driver.say(message)
    assert [int(event["kind"]) for event in driver.events[before:]] == [EventKind.GAP]
    assert driver.gaps == [(0, GapReason.CHECKSUM)]
    assert [need.kind for need in driver.needs] == [NeedKind.RESUBSCRIBE]
    driver.say(venue.snapshot())
    assert driver.book() == venue.levels()


@pytest.mark.parametrize("name", CHECKED)
def test_a_snapshot_with_a_wrong_checksum_is_no_book(name: str) -> None:
    venue = VENUES[name]()
    driver = venue.driver()
    venue.change([("100.0", "1.000")], [("100.2", "1.500")])
    wrong = venue.snapshot()
    wrong["data"][0]["checksum"] += 1
    driver.say(wrong)
    assert not driver.of(EventKind.DEPTH)
    assert [need.kind for need in driver.needs] == [NeedKind.RESUBSCRIBE]
    driver.say(venue.snapshot())
    assert driver.book() == venue.levels()


@pytest.mark.parametrize("name", NUMBERED)
def test_a_repeated_message_changes_nothing(name: str) -> None:
    venue, driver = begun(name)
    first = venue.update([("99.5", "1.000")], [])
    driver.say(first)
    driver.say(venue.update([("99.5", "0")], []))
    assert driver.say(first) == []
    driver.say(venue.update([("99.4", "1.000")], []))
    assert driver.book() == venue.levels()
    assert not driver.gaps


@pytest.mark.parametrize("name", NUMBERED)
def test_two_messages_in_the_wrong_order_break_the_book(name: str) -> None:
    venue, driver = begun(name)
    first, second = venue.update([("99.5", "1.000")], []), venue.update([("99.5", "0")], [])
    driver.say(second)
    driver.say(first)
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    driver.say(venue.snapshot())
    assert driver.book() == venue.levels()


def spoiled(message: Any, how: Callable[[Any], Any]) -> Any:
    """Change every level's texts by `how`."""
    text = json.dumps(message)
    for price in ("99.5", '"1.000"', "1.0"):
        if price in text:
            text = text.replace(price, how(price))
    return text


@pytest.mark.parametrize("how", [lambda t: t.replace("9", "x"), lambda t: t.replace("99.5", "-99.5"),
                                 lambda t: "NaN", lambda t: "null", lambda t: "1e400"])  # fmt: skip
@pytest.mark.parametrize("name", VENUES)
def test_a_message_that_cannot_be_read_leaves_nothing(name: str, how: Callable[[str], str]) -> None:
    venue, driver = begun(name)
    before = len(driver.events)
    with pytest.raises(Malformed):
        driver.say(spoiled(venue.update([("99.5", "1.000")], []), how))
    assert len(driver.events) == before
    driver.breaks(Channel.DEPTH, GapReason.MALFORMED)
    assert driver.gaps == [(0, GapReason.MALFORMED)]
    assert [need.kind for need in driver.needs] == [NeedKind.RESUBSCRIBE]
    assert driver.say(venue.update([("99.4", "1.000")], [])) == []
    driver.say(venue.snapshot())
    driver.say(venue.update([("99.3", "1.000")], []))
    assert driver.book() == venue.levels()


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("asks", [[("100.0", "1.000")], [("99.0", "1.000")], None])
def test_a_crossed_or_empty_snapshot_is_malformed(name: str, asks: Levels | None) -> None:
    venue = VENUES[name]()
    driver = venue.driver()
    if asks is not None:
        venue.change([("100.0", "1.000")], asks)
    with pytest.raises(Malformed):
        driver.say(venue.snapshot())
    assert not driver.events
