"""The block `feed` as plans for the exchanges, and what they answered as a configuration that replays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tradectl.config.wire_numbers import instrument_block
from tradectl.engine.journal import JournalMeta
from tradectl.errors import ConfigError
from tradectl.exchanges.markets import Spec
from tradectl.exchanges.model import Channel, ExchangePlan, FeedMarket, FeedSettings

if TYPE_CHECKING:
    from tradectl.config.load import Loaded
    from tradectl.config.models import RunConfig

__all__ = ["meta_of", "plans_of", "replayable", "settings_of"]

KINDS = {
    Channel.TRADES: "trades",
    Channel.DEPTH: "depth",
    Channel.QUOTES: "quotes",
    Channel.OHLCV: "bars",
    Channel.FUNDING: "funding",
}


def plans_of(loaded: Loaded) -> list[ExchangePlan]:
    """Return what is wanted of each exchange; ConfigError without a feed, or with bars of no length."""
    config = loaded.config
    if config.feed is None:
        raise ConfigError(
            f"{loaded.path}: no block `feed`: which markets are to be listened to?",
            hint="e.g. feed: {exchanges: {binance: {symbols: [BTC/USDT], channels: [trades, depth]}}}",
        )
    default = next((block.timeframe for block in config.data if block.timeframe is not None), None)
    plans = []
    for name, one in config.feed.exchanges.items():
        channels = frozenset(Channel[channel.upper()] for channel in one.channels)
        frame = one.timeframe or default
        if Channel.OHLCV in channels and frame is None:
            raise ConfigError(
                f"{loaded.path}: feed.exchanges.{name}.timeframe: `ohlcv` needs a bar length; no data block has one",
                hint="e.g. timeframe: 1m",
            )
        frame_ns = frame.ns if frame is not None and Channel.OHLCV in channels else 0
        plans.append(ExchangePlan(name, one.symbols, channels, frame_ns, one.endpoint, dict(one.options)))
    return plans


def settings_of(config: RunConfig) -> FeedSettings:
    """Return how the feeds watch themselves; ConfigError for a time of 0 where something would never rest."""
    assert config.feed is not None
    feed = config.feed
    for name in ("stale", "backoff", "fsync", "timer"):
        if getattr(feed, name).ns <= 0:
            raise ConfigError(f"feed.{name}: expected a duration above 0, got {getattr(feed, name)}")
    return FeedSettings(
        stale_ns=feed.stale.ns,
        backoff_max_ns=feed.backoff.ns,
        backfill_ns=feed.backfill.ns,
        queue=feed.queue,
        seed=config.seed,
    )


def meta_of(markets: Sequence[FeedMarket]) -> JournalMeta:
    """Return what the journal of a session on these markets says of its events."""
    kinds = tuple(tuple(sorted(KINDS[channel] for channel in one.channels)) for one in markets)
    frames = tuple(sorted({one.timeframe_ns for one in markets} - {0}))
    return JournalMeta(
        tuple(one.instrument for one in markets), frames, tuple(one.timeframe_ns for one in markets), kinds=kinds
    )


def replayable(loaded: Loaded, specs: Iterable[Spec]) -> Loaded:
    """Return the configuration of the session: its data is its journal, what was left open is written down.

    Fees that the configuration does not give are the venue's of its default tier.
    """
    from tradectl.config.data import DataBlock, Instrument
    from tradectl.config.trading import Fees

    config = loaded.config
    instruments = dict(config.instruments)
    for spec in specs:
        block = instrument_block(config, spec.instrument)
        if "fees" in config.model_fields_set or (block is not None and block.fees is not None):
            continue
        fees = Fees.model_validate({"maker": spec.maker, "taker": spec.taker})
        own = block or Instrument.model_validate({})
        # One that was named by its bare symbol keeps that name; others get their id, which is unique.
        name = next((key for key, value in instruments.items() if value is block), spec.instrument.id)
        instruments[name] = own.model_copy(update={"fees": fees})
    journal = DataBlock.model_validate({"source": ["journal"], "kind": "journal"})
    changed = {
        "data": (journal,),
        "instruments": instruments,
        "on_strategy_error": config.on_strategy_error or "disable",
    }
    return replace(loaded, config=config.model_copy(update=changed))
