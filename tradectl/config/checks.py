"""Combinations of valid values that are impossible together; all of them are told at the same time."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from tradectl.config.calendars import Calendar
from tradectl.config.data import DataBlock
from tradectl.config.feed import Feed
from tradectl.config.models import RunConfig
from tradectl.config.rules import rule_troubles
from tradectl.config.trading import Sizing
from tradectl.config.units import BarLength, Timeframe
from tradectl.errors import nearest
from tradectl.history.model import split_id
from tradectl.history.profiles import PROFILES

__all__ = ["CONFLICTS", "Conflict", "conflicts_of", "raise_conflicts"]

CONFLICTS = "conflicts"  # the type of the pydantic error that carries them
Loc = tuple[str | int, ...]


class Conflict(NamedTuple):
    """One impossible combination: the key it is told at, what to do, and the other keys it depends on.

    `at` is the character of the key's value that it is about; -1: all of it.
    """

    loc: Loc
    message: str
    related: tuple[Loc, ...] = ()
    at: int = -1


def raise_conflicts(config: RunConfig) -> None:
    """Raise one pydantic error that carries every conflict of a configuration, if there is any."""
    found = conflicts_of(config)
    if found:
        text = "; ".join(conflict.message for conflict in found)
        raise PydanticCustomError(CONFLICTS, "{text}", {"text": text, "conflicts": found})


def conflicts_of(config: RunConfig) -> list[Conflict]:
    """Return every conflict of a configuration."""
    return [conflict for check in _CHECKS for conflict in check(config)]


def _at_least_one(config: RunConfig) -> Iterator[Conflict]:
    is_recording = config.feed is not None and any(block.kind == "journal" for block in config.data)
    if not config.strategies and not is_recording:
        yield Conflict(("strategies",), "expected at least one element; got an empty list")
    if not config.data and config.feed is None:
        yield Conflict(("data",), "expected a block `data` (history, for `backtest`) or `feed` (live, for `paper`)")
    if config.feed is not None:
        yield from _feed(config.feed)


def _feed(feed: Feed) -> Iterator[Conflict]:
    at: Loc = ("feed", "exchanges")
    if not feed.exchanges:
        yield Conflict(at, "expected at least one exchange; got an empty mapping")
    for name, one in feed.exchanges.items():
        if not one.symbols:
            yield Conflict((*at, name, "symbols"), "expected at least one symbol; got an empty list")
        else:
            yield from _symbol_list((*at, name, "symbols"), one.symbols)
        if not one.channels:
            yield Conflict((*at, name, "channels"), "expected at least one channel; got an empty list")
        if "ohlcv" in one.channels and {"trades", "depth", "quotes"} & set(one.channels):
            text = "`ohlcv` and trades, depth or quotes of one symbol cannot be matched together; `bars:` makes bars"
            yield Conflict((*at, name, "channels"), text)
        spot = [symbol for symbol in one.symbols if ":" not in symbol]
        if "funding" in one.channels and spot and (len(spot) == len(one.symbols) or len(one.channels) == 1):
            text = f"{spot[0]} is spot and pays no funding; perpetuals do, whose symbols name what settles them"
            yield Conflict((*at, name, "channels"), f"{text}: BTC/USDT:USDT", ((*at, name, "symbols"),))


def _data_block(config: RunConfig) -> Iterator[Conflict]:
    for index, block in enumerate(config.data):
        at: Loc = ("data", index)
        if not block.source:
            yield Conflict((*at, "source"), "expected at least one path; got an empty list")
        if block.from_ is not None and block.to is not None and block.from_.ns >= block.to.ns:
            text = f"`from` ({block.from_}) must be before `to` ({block.to}), which is exclusive"
            yield Conflict((*at, "from"), text, ((*at, "to"),))
        # The formats of book data are known only when it is opened: their modules take time to load.
        if block.kind == "bars" and block.profile is not None and block.profile not in PROFILES:
            from tradectl.history.plan import profile_fault

            if fault := profile_fault(block.profile, block.kind):
                yield Conflict((*at, "profile"), "; ".join(fault))
        if block.symbols is not None:
            yield from _symbol_list((*at, "symbols"), block.symbols)
        if block.kind == "journal":
            yield from _journal_block(at, block)


def _journal_block(at: Loc, block: DataBlock) -> Iterator[Conflict]:
    """Refuse keys that describe columns: a journal carries its own layout."""
    for name in ("profile", "mapping", "timeframe", "session", "stamp", "tz", "venue", "detail"):
        if name in block.model_fields_set and getattr(block, name) != type(block).model_fields[name].default:
            if name == "mapping" and not block.mapping.model_fields_set:
                continue
            text = f"a journal holds finished events; `{name}` is only for `kind: bars`"
            yield Conflict((*at, name), text, ((*at, "kind"),))


def _symbol_list(at: Loc, symbols: tuple[str, ...]) -> Iterator[Conflict]:
    if not symbols:
        yield Conflict(at, "expected at least one symbol (leave the key out for all); got an empty list")
    for symbol in sorted({s for s in symbols if symbols.count(s) > 1}):
        yield Conflict(at, f"the symbol {symbol!r} stands twice")


def _timeframes(config: RunConfig) -> Iterator[Conflict]:
    for frame in sorted({f for f in config.bars if config.bars.count(f) > 1}):
        yield Conflict(("bars",), f"the bar length {frame!r} stands twice")
    has_ticks = any(block.kind not in ("bars", "funding") for block in config.data)
    for index, block in enumerate(config.data):
        source = block.timeframe
        if source is None or block.detail or block.kind != "bars":
            continue
        if has_ticks and any(frame.is_made_of(source.ns) for frame in config.bars):
            continue  # the others are made of the ticks alone
        for row, frame in enumerate(config.bars):
            if not frame.is_made_of(source.ns):
                yield _misfit(row, frame, index, source)


def _misfit(row: int, frame: BarLength, index: int, source: Timeframe) -> Conflict:
    """Return why `bars[row]` cannot be made of the bars of a data block."""
    related: tuple[Loc, ...] = (("data", index, "timeframe"),)
    if frame.by != "time":
        text = f"{frame!r} bars are made of trades; bars can only be made longer in time"
        return Conflict(("bars", row), text, (("data", index, "kind"),))
    if frame.ns < source.ns:
        text = f"{frame!r} is finer than the data ({source!r}); bars can only be made longer"
        return Conflict(("bars", row), text, related)
    return Conflict(("bars", row), f"{frame!r} is no multiple of the data's timeframe {source!r}", related)


def _detail(config: RunConfig) -> Iterator[Conflict]:
    """`execution.detail` and the data block marked `detail` need each other."""
    detail = config.execution.detail
    at: Loc = ("execution", "detail")
    blocks = [index for index, block in enumerate(config.data) if block.detail]
    for index in blocks:
        key: Loc = ("data", index, "detail")
        if detail is None:
            frame = config.data[index].timeframe or "1m"
            yield Conflict(key, f"a detail source is read only with `execution: {{detail: {frame}}}`", (at,))
        elif config.data[index].timeframe not in (None, detail):
            text = f"{detail!r} is not the timeframe of the detail source, {config.data[index].timeframe!r}"
            yield Conflict(at, text, (key, ("data", index, "timeframe")))
    if config.data and len(blocks) == len(config.data):
        yield Conflict(
            ("data",), "all sources are `detail: true`; at least one must hold the bars that are traded"
        )
    if detail is None:
        return
    if not blocks and config.data:
        text = f"no data block has `detail: true`; add one with `timeframe: {detail}`"
        yield Conflict(at, text, tuple(("data", index, "detail") for index in range(len(config.data))))
    for index, block in enumerate(config.data):
        if not block.detail and block.timeframe is not None and detail.ns >= block.timeframe.ns:
            text = f"{detail!r} is not finer than the data ({block.timeframe!r})"
            yield Conflict(at, text, (("data", index, "timeframe"),))


def _known_symbols(config: RunConfig) -> set[str] | None:
    """Return every name that data blocks and feeds give, bare and with venue; None if one leaves it open."""
    feeds = config.feed.exchanges if config.feed is not None else {}
    known = {name for venue, one in feeds.items() for bare in one.symbols for name in (bare, f"{venue.upper()}:{bare}")}
    for block in config.data:
        if block.symbols is None:
            return None
        for symbol in block.symbols:
            bare = split_id(symbol)[1]
            known |= {symbol, bare} | ({f"{block.venue}:{bare}"} if block.venue else set())
    for symbol, instrument in config.instruments.items():
        if instrument.alias in known or symbol in known:
            known |= {symbol, split_id(symbol)[1]} | ({instrument.alias} if instrument.alias else set())
    return known


def _symbols(config: RunConfig) -> Iterator[Conflict]:
    known = _known_symbols(config)
    data: tuple[Loc, ...] = tuple(("data", index, "symbols") for index in range(len(config.data)))
    where = "data.symbols" if config.data else "the symbols of the feed"
    for index, strategy in enumerate(config.strategies):
        at: Loc = ("strategies", index, "symbols")
        if strategy.symbols is None:
            continue
        yield from _symbol_list(at, strategy.symbols)
        for row, symbol in enumerate(strategy.symbols):
            if known is not None and symbol not in known and split_id(symbol)[1] not in known:
                text = f"the symbol {symbol!r} is not among {where}; {nearest(symbol, known)}"
                yield Conflict((*at, row), text, data)
    if known is None:
        return
    for symbol in config.instruments:  # an entry for a symbol that is not used is fine, a misspelt one is not
        close = (
            difflib.get_close_matches(symbol, sorted(known), n=1, cutoff=0.8) if symbol not in known else []
        )
        if close and close[0] not in config.instruments and split_id(symbol)[1] not in known:
            text = f"the symbol {symbol!r} is not among data.symbols (did you mean {close[0]!r}?)"
            yield Conflict(("instruments", symbol), text, data)


def _instruments(config: RunConfig) -> Iterator[Conflict]:
    for symbol, one in config.instruments.items():
        at: Loc = ("instruments", symbol)
        if one.alias == symbol:
            yield Conflict((*at, "alias"), f"{symbol!r} is its own alias; leave the key out")
        if (
            one.alias in config.instruments
            and config.instruments[one.alias].alias == symbol
            and one.alias > symbol
        ):
            text = f"{symbol!r} and {one.alias!r} are aliases of each other"
            yield Conflict((*at, "alias"), text, (("instruments", one.alias, "alias"),))
        if one.listed is not None and one.delisted is not None and one.listed.ns >= one.delisted.ns:
            text = f"`listed` ({one.listed}) must be before `delisted` ({one.delisted})"
            yield Conflict((*at, "listed"), text, ((*at, "delisted"),))
        if one.min_qty is not None and one.max_qty is not None and one.min_qty > one.max_qty:
            text = f"`min_qty` ({one.min_qty:f}) is above `max_qty` ({one.max_qty:f})"
            yield Conflict((*at, "min_qty"), text, ((*at, "max_qty"),))
        if one.base is not None and one.base == one.quote:
            yield Conflict((*at, "base"), f"base and quote are both {one.base!r}", ((*at, "quote"),))


def _strategies(config: RunConfig) -> Iterator[Conflict]:
    """Each strategy's orders are known by its tag, else by its file's name: these must differ."""
    for (first, one), (second, other) in combinations(enumerate(config.strategies), 2):
        tag: Loc = ("strategies", second, "tag")
        related: tuple[Loc, ...] = (("strategies", first), ("strategies", second))
        if one.tag is not None and one.tag == other.tag:
            yield Conflict(tag, f"the tag {other.tag!r} is already used by strategies[{first}]", related)
        elif one.tag is None and other.tag is None and one.path is not None and one.path == other.path:
            text = f"the same file as strategies[{first}]; give each a `tag` of its own"
            yield Conflict(("strategies", second, "path"), text, related)
        elif one.label == other.label:
            text = f"the name {one.label!r} is already that of strategies[{first}]; give one a `tag`"
            yield Conflict(("strategies", second, "path"), text, related)


def _sources(config: RunConfig) -> Iterator[Conflict]:
    """Each strategy is a file or rules."""
    for index, block in enumerate(config.strategies):
        at: Loc = ("strategies", index)
        if block.path is None and block.rules is None:
            doc = "its file, relative to the config file; `:ClassName` picks one of several"
            text = f"this key is required ({doc}), e.g. path: ../strategies/sma_cross.py; or give `rules`"
            yield Conflict((*at, "path"), text)
        elif block.path is not None and block.rules is not None:
            yield Conflict((*at, "rules"), "give either `path` (a file) or `rules`, not both", ((*at, "path"),))
    for loc, message, character in rule_troubles(config):
        yield Conflict(loc, message, at=character)


def _account(config: RunConfig) -> Iterator[Conflict]:
    account = config.account
    kind: tuple[Loc, ...] = (("account", "type"),)
    if account.type == "cash" and account.leverage != 1:
        text = (
            f"a cash account has no leverage; write `type: margin` or leave it out (got {account.leverage:f})"
        )
        yield Conflict(("account", "leverage"), text, kind)
    if account.balance is not None and account.balances is not None:
        text = "give either `balance` or `balances`, not both"
        yield Conflict(("account", "balance"), text, (("account", "balances"),))
    if not any(account.start_balances.values()):
        name = "balances" if account.balances is not None else "balance"
        yield Conflict(("account", name), "the account starts without any money", ())
    if account.rates.get(account.currency, 1) != 1:
        text = f"the rate of the account's own currency {account.currency!r} is 1 by definition"
        yield Conflict(("account", "rates", account.currency), text, (("account", "currency"),))


def _execution(config: RunConfig) -> Iterator[Conflict]:
    execution, at = config.execution, ("execution", "fill_at")
    for name in ("entry", "response"):
        delay = getattr(execution.latency, name)
        if execution.fill_at == "close" and delay.ns > 0:
            text = f"`close` fills on the bar just seen; with {name} latency {delay} it cannot; use next_open"
            yield Conflict(at, text, (("execution", "latency", name),))
    slippage = execution.slippage
    given = [name for name in ("ticks", "bps", "volume_share") if getattr(slippage, name) is not None]
    if len(given) > 1:
        text = f"expected one of ticks, bps, volume_share; got {' and '.join(given)}"
        related: tuple[Loc, ...] = tuple(("execution", "slippage", name) for name in given)
        yield Conflict(("execution", "slippage"), text, related)


def _sizing(config: RunConfig) -> Iterator[Conflict]:
    yield from _one_sizing(config, config.sizing, ("sizing",))
    for index, strategy in enumerate(config.strategies):
        yield from _one_sizing(config, strategy.sizing, ("strategies", index, "sizing"))


def _one_sizing(config: RunConfig, sizing: Sizing | None, at: Loc) -> Iterator[Conflict]:
    if sizing is None or sizing.method != "percent_equity":
        return
    related: tuple[Loc, ...] = ((*at, "method"), ("account", "type"), ("account", "leverage"))
    limit = config.account.leverage if config.account.type == "margin" else 1
    if sizing.value <= limit:
        return
    fraction = sizing.value / 100
    hint = f" (did you mean {fraction:f}, i.e. {sizing.value:f} %?)" if fraction <= limit else ""
    why = f"the account's leverage of {limit:f}" if limit != 1 else "1, all of it"
    text = f"percent_equity takes a fraction of equity, at most {why}; got {sizing.value:f}{hint}"
    yield Conflict((*at, "value"), text, related)


def _order_rate(config: RunConfig) -> Iterator[Conflict]:
    rate = config.risk.max_order_rate
    if rate is not None and rate.per.ns == 0:
        yield Conflict(("risk", "max_order_rate", "per"), "expected a window above zero, e.g. 1s; got 0s")


def _calendars(config: RunConfig) -> Iterator[Conflict]:
    """Hours of a calendar contradict each other, or both it and a session stamp daily bars."""
    places: list[tuple[Loc, Calendar | None]] = [(("calendar",), config.calendar)]
    places += [(("instruments", name, "calendar"), one.calendar) for name, one in config.instruments.items()]
    for at, calendar in places:
        for name, text in calendar.faults() if calendar is not None else ():
            yield Conflict((*at, name), text, (at,))
    for index, block in enumerate(config.data):
        if block.session is not None and config.calendar is not None and not config.calendar.is_always:
            text = "the calendar says when the trading day closes; leave `session` out"
            yield Conflict(("data", index, "session"), text, (("calendar",),))


_CHECKS: tuple[Callable[[RunConfig], Iterator[Conflict]], ...] = (
    _at_least_one, _data_block, _timeframes, _detail, _symbols, _instruments, _strategies, _sources, _account,
    _execution, _sizing, _order_rate, _calendars,
)  # fmt: skip
