"""What a session begins with: an earlier session's state, or bars fetched before the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tradectl.cli.paper_begun import Begun, live_of
from tradectl.cli.runner import Progress
from tradectl.cli.runner_fold import Folded, start_fold
from tradectl.cli.runner_verify import changed_sources, settings_of_run
from tradectl.config.load import Loaded
from tradectl.config.units import format_ns
from tradectl.config.wire import Wired, wire
from tradectl.config.wire_data import of_meta
from tradectl.core.calendars import DAY_NS
from tradectl.core.codes import Command, EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.db.catalogue import Run
from tradectl.db.session import SessionFolder
from tradectl.db.spool import Spool
from tradectl.engine.journal import Journal, JournalWriter
from tradectl.engine.ports import Events
from tradectl.engine.spec import Hours
from tradectl.errors import ConfigError, StoreError, TradectlError
from tradectl.exchanges.model import Channel, GapReason, Position

if TYPE_CHECKING:
    from tradectl.exchanges.hub import Hub

__all__ = ["go_on", "positions_of", "read_again", "refuse_other_hours", "restore", "warm_up"]

ROWS = 65_536
RECALLED = 262_144  # events at the end of a journal whose trades are known again when they come twice


def read_again(path: Path) -> tuple[Loaded, Journal]:
    """Return an earlier session's configuration and journal; StoreError where its files are not those that ran."""
    run = Run(path, {})
    changed = changed_sources(run, run.lock())
    if changed:
        raise StoreError(f"{path.name} cannot go on: {'; '.join(changed)}")
    loaded = settings_of_run(run, (path / "run.yaml").read_text(encoding="utf-8"))
    journal = Journal(path / "journal", recover=True)
    if not journal.paths[1:]:
        raise StoreError(f"{path.name} cannot go on: its journal has no segment")
    return loaded, journal


def restore(loaded: Loaded, folder: SessionFolder, journal: Journal, progress: Progress) -> Begun:
    """Return the session as it stood after the last event of its journal: newest snapshot, then what came behind it."""
    progress("compile", 0, None)
    wired = wire(loaded, opened=of_meta(journal.meta, loaded.config))
    folded, start = _restored(wired, folder)
    live = live_of(wired, folded)
    live.last_ts = int(folded.state.engine[0]["now"])
    done = start
    for events in journal.tail(start, ROWS):
        live.apply(events)
        done += len(events)
        progress("run", done, None)
    if journal.end < start:
        ends = f"its journal ends after {journal.end:,} events, a snapshot holds {start:,}"
        raise StoreError(f"{folder.path.name} cannot go on: {ends}")
    return Begun(loaded, wired, folder, folded, live)


def go_on(begun: Begun, journal: Journal, now_ns: int) -> None:
    """Take up a restored session: its journal goes on, and the time in which it was down is marked as a gap."""
    live, folder = begun.live, begun.folder
    live.record(JournalWriter.resume(journal, sync_s=0))
    folder.reopen()
    last_ts = live.last_ts
    folder.note({"resumed": [*folder.about()["resumed"], {"events": journal.end, "from_ns": last_ts, "at_ns": now_ns}]})
    live.command(Command.START, now_ns)
    live.apply(_gaps(begun.folded, last_ts, live.last_ts))


def _restored(wired: Wired, folder: SessionFolder) -> tuple[Folded, int]:
    """Return the newest state that can be had and the number of events in it."""
    place = folder.path / ".rows"
    # Plain Python strategies may hold what no snapshot has; they are folded from the beginning.
    found = folder.newest() if all(block.jit for block in wired.config.strategies) else None
    if found is not None:
        folded = start_fold(wired, place)
        try:
            folded.spool = Spool(place, found.rows)
            folded.state.restore(found.parts)
        except (TradectlError, OSError, KeyError):
            found = None
        else:
            for kind in ("equity", "fills"):
                for rows in folded.spool.read(kind, ROWS):
                    folded.feed(kind, rows)
            return folded, found.events
    return start_fold(wired, place), 0


def positions_of(folded: Folded, journal: Journal) -> dict[str, Position]:
    """Return the last trade of each instrument, by id, and those before it in a journal read to its end."""
    venues, instruments = folded.state.venues, folded.state.spec.instruments
    parts = [part[part["kind"] == EventKind.TRADE] for part in journal.tail(max(journal.end - RECALLED, 0), ROWS)]
    trades = np.concatenate([empty_events(0), *parts])
    return {
        one.id: Position(
            int(row["trade_id"]), int(row["ts_trade"]), tuple(trades["w2"][trades["instrument"] == index].tolist())
        )
        for index, (one, row) in enumerate(zip(instruments, venues, strict=False))
    }


def _gaps(folded: Folded, since: int, now: int) -> Events:
    """Return a GAP for each instrument over the time in which the session was down."""
    gaps = empty_events(len(folded.state.spec.instruments))
    gaps["ts_event"] = gaps["ts_recv"] = now
    gaps["kind"] = EventKind.GAP
    gaps["flags"] = EventFlag.MESSAGE_END
    gaps["instrument"] = np.arange(len(gaps))
    gaps["w0"], gaps["w1"], gaps["w2"] = since, now, GapReason.RESUME
    return gaps


async def warm_up(hub: Hub, wired: Wired, progress: Progress) -> Events:
    """Return the bars before the start as events in the order of their ends; none where none are wanted.

    ConfigError where there are no bars to warm up; what a venue does not have is noted.
    """
    feed = wired.config.feed
    assert feed is not None
    n, spec = feed.warmup, wired.spec
    if not n:
        return empty_events(0)
    if not spec.frames_ns and not any(Channel.OHLCV in market.channels for market in hub.markets):
        raise ConfigError(
            f"feed.warmup: {n} bars of which length? No `bars:` are made and no channel `ohlcv` is subscribed to",
            hint="give `bars: [1m]`, or leave `warmup` out",
        )
    for market in hub.markets:
        if Channel.OHLCV not in market.channels:
            refuse_other_hours(market.instrument.id, spec.limits[market.index].hours, spec.frames_ns)
    progress("warm-up", 0, None)
    longest = max(spec.frames_ns, default=0)
    wanted: dict[tuple[int, int], dict[int, int]] = {}  # (bar length, bars) -> instrument -> aux
    for market in hub.markets:
        if Channel.OHLCV in market.channels:
            bars = n * max(1, longest // market.timeframe_ns)
            aux = wired.data.timeframes_ns.index(market.timeframe_ns)
            wanted.setdefault((market.timeframe_ns, bars), {})[market.index] = aux
        else:
            for aux, frame_ns in enumerate(spec.frames_ns):
                wanted.setdefault((frame_ns, n), {})[market.index] = aux
    parts = [(empty_events(0), 0)]
    for (frame_ns, bars), places in wanted.items():
        found = await hub.warmup(bars, frame_ns)
        parts += [(_warm(index, aux, found[index]), frame_ns) for index, aux in places.items()]
    events = np.concatenate([part for part, _ in parts])
    lengths = np.concatenate([np.full(len(part), frame_ns) for part, frame_ns in parts])
    ticks = np.array(wired.data.frame_of)[events["instrument"]] == 0  # their bars end with those of a source
    events = events[np.lexsort((events["instrument"], lengths, ticks, events["ts_recv"]))]
    if len(events):
        last = np.append(events["ts_recv"][1:] != events["ts_recv"][:-1], True)
        events["flags"][last] |= np.uint16(EventFlag.LAST)
    return events


def refuse_other_hours(name: str, hours: Hours | None, frames_ns: Sequence[int]) -> None:
    """Raise ConfigError where an exchange's bars, which follow the UTC clock, are not those of a calendar."""
    if hours is None:
        return
    for frame_ns in frames_ns:
        misaligned = not hours.by_clock and (hours.sittings[1:-1, 0] % frame_ns).any()
        if frame_ns % DAY_NS == 0 or misaligned:
            raise ConfigError(
                f"feed.warmup: the exchange's bars of {format_ns(frame_ns)} are not those of the calendar of {name}",
                hint="leave `warmup` or these bars out; for bars below a day `align: clock` in the calendar does too",
            )


def _warm(instrument: int, aux: int, rows: Sequence[tuple[int, ...]]) -> Events:
    """Return bars (end in ns, open, high, low, close in ticks, volume in lots) as events of warm-up."""
    made = empty_events(len(rows))
    made["kind"], made["flags"] = EventKind.BAR, EventFlag.WARMUP
    made["instrument"], made["aux"] = instrument, aux
    if rows:
        columns = np.array(rows, np.int64).T
        made["ts_event"] = made["ts_recv"] = columns[0]
        for name, column in zip(("w0", "w1", "w2", "w3", "w4"), columns[1:], strict=True):
            made[name] = column
    return made
