"""The data blocks of a configuration as one stream of events: history, or a journal."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.config.units import format_ns
from tradectl.config.wire_calendars import sessions_for
from tradectl.config.wire_numbers import instrument_block
from tradectl.core.instrument import Instrument
from tradectl.engine.journal import META, Journal, JournalMeta
from tradectl.errors import ConfigError, DataError, nearest

if TYPE_CHECKING:
    from tradectl.config.models import DataBlock, RunConfig
    from tradectl.history.journal_table import JournalTable
    from tradectl.history.model import DataBlock as HistoryBlock
    from tradectl.history.model import DataReport, InstrumentSpec

__all__ = [
    "Opened", "block_of", "find_instrument", "first_bar_notes", "journal_folder", "of_meta", "open_data", "places_of",
    "stamped_block",
]  # fmt: skip


_INVERSE = re.compile(r"USD_(PERP|\d{6})$")  # Binance's names of COIN-M contracts


@dataclass(repr=False)
class Opened:
    """An opened source: `frame_of` is the timeframe of each instrument's bars (0: none), `detail_ns` of finer ones.

    `kinds` are each instrument's kinds of data (bars, trades, quotes, depth, orders, funding, mark), empty where
    nothing but the stream says it (a journal); `has_receive_clock`: its ts_recv is no copy of ts_event.
    `whole`: the stream holds its own START and STOP (a journal). `notes`: what to know of it beside its `report`.
    """

    instruments: Sequence[Instrument]
    timeframes_ns: Sequence[int]
    frame_of: Sequence[int]
    chunks: Callable[[int], Iterator[Any]]
    paths: Sequence[Path]
    detail_ns: int = 0
    total_rows: int | None = None
    whole: bool = False
    report: DataReport | None = None
    kinds: Sequence[frozenset[str]] = ()
    has_receive_clock: Sequence[bool] = ()
    notes: Sequence[str] = ()

    def meta(self) -> JournalMeta:
        """Return what a journal of this run writes about its events."""
        frames = tuple(self.timeframes_ns), tuple(self.frame_of)
        kinds = tuple(tuple(sorted(one)) for one in self.kinds)
        return JournalMeta(tuple(self.instruments), *frames, self.detail_ns, kinds=kinds)


def open_data(config: RunConfig, folder: Path, progress: Callable[[int], None] | None = None) -> Opened:
    """Open all data blocks; paths are relative to `folder`. DataError where a fault stops the run."""
    journals = [block for block in config.data if block.kind == "journal"]
    if journals:
        if len(config.data) > 1:
            raise ConfigError("data: a journal holds a whole run; it cannot be merged with other blocks")
        return _open_journal(config, journals[0], folder)
    return _open_history(config, folder, progress)


def find_instrument(symbol: str, instruments: Sequence[Instrument]) -> int:
    """Return the index of an instrument named by its id or by a bare symbol that is unique."""
    found = [k for k, one in enumerate(instruments) if symbol in (one.id, one.symbol)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(instruments[k].id for k in found)
        raise ConfigError(f"the symbol {symbol!r} is on several venues: name one of {ids}")
    raise ConfigError(
        f"the symbol {symbol!r} is not in the data", hint=nearest(symbol, [one.symbol for one in instruments])
    )


# --- history


def places_of(block: DataBlock, folder: Path) -> list[str]:
    """Return the places that a block names, relative to the config's folder, as absolute ones (globs stay globs)."""
    return [os.path.normpath(folder / Path(source).expanduser()) for source in block.source]


def block_of(block: DataBlock, folder: Path) -> HistoryBlock:
    """Return a data block in the words of the history unit."""
    from tradectl.history.model import DataBlock as HistoryBlock

    mapping = {name: value for name, value in block.mapping.model_dump().items() if value is not None}
    return HistoryBlock(
        source=places_of(block, folder),
        profile=block.profile,
        mapping=mapping or None,
        kind=block.kind,
        timeframe=None if block.timeframe is None else str(block.timeframe),
        symbols=None if block.symbols is None else list(block.symbols),
        venue=block.venue,
        start_ns=block.from_ns,
        end_ns=block.to_ns,
        session=None if block.session is None else (block.session.close, block.session.tz),
        stamp=block.stamp,
        tz=block.tz,
        on_error=block.on_error.model_dump(),
        detail=block.detail,
        clock=block.clock,
        clock_latency_ns=block.clock_latency.ns,
        options=dict(block.options),
    )


def stamped_block(config: RunConfig, block: DataBlock, folder: Path) -> HistoryBlock:
    """Return a data block whose daily bars are stamped by the calendars of a configuration."""
    return replace(block_of(block, folder), sessions_for=partial(sessions_for, config))


def specs_of(config: RunConfig) -> dict[str, InstrumentSpec]:
    from tradectl.history.model import InstrumentSpec

    return {
        symbol: InstrumentSpec(
            tick_size=one.tick_size,
            lot_size=one.lot_size,
            min_qty=one.min_qty,
            min_notional=one.min_notional,
            base=one.base,
            quote=one.quote,
            listed=one.listed_ns,
            delisted=one.delisted_ns,
            alias=one.alias,
        )
        for symbol, one in config.instruments.items()
    }


def _open_history(config: RunConfig, folder: Path, progress: Callable[[int], None] | None) -> Opened:
    from tradectl.history.open import History, open_history

    feed = config.execution.latency.feed.ns
    blocks = [replace(stamped_block(config, block, folder), feed_ns=feed) for block in config.data]
    history: History = open_history(
        blocks, specs_of(config), default_quote=config.account.currency, progress=progress
    )
    frame_of = [_frame_of(history, index) for index in range(len(history.instruments))]
    details = {s.timeframe_ns for t in history.targets for s, _ in t.sources if s.block.detail}
    if len(details) > 1:
        raise ConfigError("data: all `detail: true` blocks must have one timeframe")
    history.report.notes += [
        f"{one.id}: a contract settled in its base (inverse); fills and P&L are counted as if in {one.quote}, linear"
        for one in history.instruments
        if _INVERSE.search(one.symbol)
    ]
    if config.bars:
        from tradectl.history.first_bars import partial_firsts

        history.report.notes += partial_firsts(history, [bar.ns for bar in config.bars if bar.ns])
    return Opened(
        instruments=history.instruments,
        timeframes_ns=history.timeframes_ns,
        frame_of=frame_of,
        chunks=history.chunks,
        paths=history.paths,
        detail_ns=details.pop() if details else 0,
        total_rows=history.total_rows,
        report=history.report,
        kinds=history.kinds,
        has_receive_clock=history.has_receive_clock,
    )


def _frame_of(history: Any, index: int) -> int:
    """Return the timeframe, ns, of the bars on which an instrument's orders fill; 0 without bars."""
    target = history.targets[index]
    frames = sorted({s.timeframe_ns for s, _ in target.sources if s.timeframe_ns and not s.block.detail})
    if not frames:
        return 0
    if len(frames) > 1:
        names = " and ".join(format_ns(ns) for ns in frames)
        raise ConfigError(
            f"data: {target.id} comes in bars of {names}",
            hint="an instrument fills on one; make the coarser with `bars:`, or mark the finer `detail: true`",
        )
    return int(frames[0])


# --- journal


def journal_folder(place: str) -> Path:
    """Return the journal of a run folder, or the journal folder itself; a glob must match one."""
    path = Path(place)
    matches = [Path(one) for one in glob.glob(str(path))] if not path.exists() else [path]
    for base in matches[:1]:
        for inner in (base / "journal", base):
            if (inner / META).is_file():
                return inner
    if matches:
        raise DataError(f"{path} holds no journal", hint="run the backtest with --journal to write one")
    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise DataError(f"no such run or journal: {path}", hint=nearest(path.name, names) if names else "")


def _journal(place: str) -> Journal | JournalTable:
    """Return the journal of a run folder, or one that was exported to a Parquet file."""
    if place.endswith(".parquet"):
        from tradectl.history.journal_table import JournalTable

        return JournalTable(Path(place))
    return Journal(journal_folder(place))


def _open_journal(config: RunConfig, block: DataBlock, folder: Path) -> Opened:
    if len(block.source) > 1:
        raise ConfigError("data.source: a journal is one folder; name one")
    for name, value in (("symbols", block.symbols), ("from", block.from_), ("to", block.to)):
        if value is not None:
            raise ConfigError(f"data.{name}: a journal is replayed whole; `{name}` is only for `kind: bars`")
    journal = _journal(places_of(block, folder)[0])
    opened = replace(of_meta(journal.meta, config), chunks=journal.chunks, paths=journal.paths)
    return replace(opened, notes=first_bar_notes(config, opened))


def first_bar_notes(config: RunConfig, opened: Opened) -> list[str]:
    """Say which derived bars an opened journal begins inside of; its first events are read."""
    from tradectl.history.first_bars import partial_of_journal

    names = [one.id for one in opened.instruments]
    hours = [sessions_for(config, one.venue, one.symbol) for one in opened.instruments]
    frames_ns = [bar.ns for bar in config.bars if bar.ns]
    return partial_of_journal(opened.chunks(4096), names, opened.frame_of, hours, frames_ns)


def of_meta(meta: JournalMeta, config: RunConfig) -> Opened:
    """Return what a journal with this meta holds, without its events: a live session begins with it."""
    return Opened(
        instruments=[_checked(one, config) for one in meta.instruments],
        timeframes_ns=meta.timeframes_ns,
        frame_of=meta.frame_of,
        chunks=lambda _rows: iter(()),
        paths=(),
        detail_ns=meta.detail_ns,
        total_rows=meta.events,
        whole=True,
        kinds=[frozenset(one) for one in meta.kinds],
    )


def _checked(instrument: Instrument, config: RunConfig) -> Instrument:
    """Return a journal's instrument with the config's minima; its grid is that of the recorded integers."""
    block = instrument_block(config, instrument)
    if block is None:
        return instrument
    for name in ("tick_size", "lot_size"):
        asked, recorded = getattr(block, name), getattr(instrument, name)
        if asked is not None and asked != recorded:
            raise ConfigError(
                f"instruments.{instrument.symbol}.{name}: {asked:f} is not the {recorded:f} of the venue or journal"
            )
    changes = {n: getattr(block, n) for n in ("min_qty", "min_notional") if getattr(block, n) is not None}
    return replace(instrument, **changes)
