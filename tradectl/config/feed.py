"""The block `feed`: which live markets a paper session or a recording listens to, and how carefully."""

# No `from __future__ import annotations` here: pydantic would evaluate each annotation from its text, which
# doubles the time that this module takes to import.

from typing import Annotated, Any, ClassVar, Literal

from tradectl.config.block import Block, key
from tradectl.config.scalars import OneOf, Param, Rows, Text, Whole
from tradectl.config.timescalars import DurationKind, TimeframeKind
from tradectl.config.units import Duration, Timeframe

__all__ = ["ExchangeFeed", "Feed"]

ChannelName = Annotated[Literal["trades", "depth", "quotes", "ohlcv", "funding"], OneOf()]
Symbol = Annotated[str, Text("a symbol", "BTC/USDT")]
Exchange = Annotated[str, Text("an exchange's id in ccxt", "binance")]


class ExchangeFeed(Block):
    """What is listened to on one exchange."""

    symbols: Annotated[tuple[Symbol, ...], Rows()] = key(
        ..., "symbols in ccxt's unified form", example=["BTC/USDT", "ETH/USDT:USDT"]
    )
    channels: Annotated[tuple[ChannelName, ...], Rows()] = key(
        ("trades", "depth"), "what is subscribed to for each of them"
    )
    endpoint: Annotated[str, Text("an address", "http://127.0.0.1:9001")] | None = key(
        None,
        "a server that stands for all hosts of the exchange (`<endpoint>/<original host>/<path>`), as the sandbox does",
        example="http://127.0.0.1:9001",
    )
    timeframe: Annotated[Timeframe, TimeframeKind()] | None = key(
        None, "bar length of `ohlcv`; else the `timeframe` of the first data block that names one", example="1m"
    )
    options: dict[str, Annotated[Any, Param()]] = key(
        dict, "settings of ccxt's exchange object", example={"timeout": 20000}
    )


class Feed(Block):
    """Live markets for `tradectl paper` and `tradectl data record`."""

    short_key: ClassVar[str] = ""

    exchanges: dict[Exchange, ExchangeFeed] = key(
        ..., "exchanges by their id in ccxt", example={"binance": {"symbols": ["BTC/USDT"]}}
    )
    warmup: Annotated[int, Whole(ge=0, le=100_000, example="200")] = key(
        0, "bars fetched over REST before the start; strategies see them and may place no orders", unit="bars"
    )
    stale: Annotated[Duration, DurationKind()] = key(
        Duration("30s"), "a channel that is silent for longer is subscribed anew"
    )
    backoff: Annotated[Duration, DurationKind()] = key(
        Duration("30s"), "longest pause between two attempts to connect; the first is 250 ms, each next one doubles"
    )
    backfill: Annotated[Duration, DurationKind()] = key(
        Duration("5s"), "how long trades wait for missing ones that are fetched over REST"
    )
    queue: Annotated[int, Whole(ge=64, le=1 << 24, example="65536")] = key(
        65536, "messages that may wait; beyond it depth is left out behind a gap, trades never are", unit="messages"
    )
    timer: Annotated[Duration, DurationKind()] = key(
        Duration("100ms"), "without events for so long, time itself becomes an event (reports, timers, bars that end)"
    )
    grace: Annotated[Duration, DurationKind()] = key(
        Duration("500ms"), "orders reach a quiet market this long after they would have arrived"
    )
    bar_grace: Annotated[Duration, DurationKind()] = key(
        Duration("2s"), "how long bars wait for those of the other symbols that end at the same time"
    )
    fsync: Annotated[Duration, DurationKind()] = key(
        Duration("1s"), "how often the journal is forced to the disk; a killed process loses nothing either way"
    )
    snapshot: Annotated[Duration, DurationKind()] = key(
        Duration("60s"), "how often the state is saved, which bounds the time that `--resume` takes"
    )
