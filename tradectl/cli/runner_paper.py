"""A paper session from a checked configuration, or from an earlier session, to a whole run folder."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tradectl.cli.paper_begun import Begun, live_of
from tradectl.cli.paper_feeds import Kept, read_kept, take_up
from tradectl.cli.paper_resume import go_on, positions_of, read_again, restore, warm_up
from tradectl.cli.paper_session import Session
from tradectl.cli.paper_summary import write_end
from tradectl.cli.runner import Progress, RunResult
from tradectl.cli.runner_backtest import runs_folder
from tradectl.cli.runner_fold import start_fold
from tradectl.cli.runner_write import write_inputs
from tradectl.config.load import Loaded, load_config
from tradectl.config.wire import wire
from tradectl.config.wire_data import first_bar_notes, of_meta
from tradectl.config.wire_feed import meta_of, plans_of, replayable, settings_of
from tradectl.config.wire_hooks import unheard
from tradectl.core.codes import Command
from tradectl.db.runfolder import RunFolder
from tradectl.db.session import SessionFolder
from tradectl.engine.journal import Journal, JournalMeta, JournalWriter
from tradectl.errors import FeedError, StoreError
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.hub import Hub
from tradectl.exchanges.model import FeedMarket

__all__ = ["PaperRequest", "Watch", "run_paper", "run_session"]

# What lock.json says of a session's data.
JOURNAL: dict[str, Any] = {"root": "journal", "files": {}, "hash": None, "source": "journal"}
Watch = Callable[[Session], Coroutine[Any, Any, None]]  # a view or a log beside the session, ended with it


@dataclass(frozen=True)
class PaperRequest:
    """How a session is run: where its folder goes or lies, for how long, and what watches it."""

    config: Path | None
    resume: Path | None = None
    sets: Sequence[str] = ()
    overrides: Mapping[str, Any] | None = None
    out: Path | None = None
    duration_s: float | None = None
    trades: bool = True  # False: no strategies, the feeds are only recorded
    watches: Sequence[Watch] = ()


def run_paper(request: PaperRequest, progress: Progress) -> RunResult:
    """Run a session to its end; ConfigError, FeedError before it begins, afterwards whatever ended it.

    Whatever happens, the folder is whole or can be resumed.
    """
    return asyncio.run(run_session(request, progress))


async def run_session(request: PaperRequest, progress: Progress) -> RunResult:
    """Do what `run_paper` does, in a loop that is there already."""
    clock = Clock()
    kept: Kept | None = None
    with ExitStack() as stack:
        if request.resume is not None:
            folder = SessionFolder(request.resume)
            stack.callback(folder.release)
            loaded, journal = read_again(folder.path)
            kept = read_kept(folder)
            begun = restore(loaded, folder, journal, progress)
            hub = Hub(plans_of(loaded), settings_of(loaded.config), clock, positions_of(begun.folded, journal))
        else:
            assert request.config is not None
            loaded = load_config(request.config, request.sets, overrides=request.overrides)
            if not request.trades:
                loaded = replace(loaded, config=loaded.config.model_copy(update={"strategies": ()}))
            hub = Hub(plans_of(loaded), settings_of(loaded.config), clock)
        try:
            progress("feeds", 0, None)
            markets = await hub.open()
            if request.resume is None:
                begun = await _begin(loaded, request, hub, clock, progress)
                stack.callback(begun.folder.release)
            else:
                _same_markets(journal.meta, markets, folder.path)
                go_on(begun, journal, clock.now_ns())
            session = _session(begun, hub, clock, kept)
            return await _go(begun, session, request, progress)
        finally:
            await hub.close()


def _same_markets(meta: JournalMeta, markets: Sequence[FeedMarket], path: Path) -> None:
    """Raise FeedError where a venue's instrument is no longer what the journal's integers mean."""
    then = {one.id: one for one in meta.instruments}
    now = {one.instrument.id: one.instrument for one in markets}
    for name, one in then.items():
        for key in ("tick_size", "lot_size"):
            was, has = getattr(one, key), getattr(now.get(name), key, None)
            if was != has:
                raise FeedError(f"{path.name} cannot go on: {key} of {name} was {was}, is now {has}")


async def _begin(
    loaded: Loaded, request: PaperRequest, hub: Hub, clock: Clock, progress: Progress
) -> Begun:
    """Wire a new session, make its folder, apply START and the warm-up."""
    meta = meta_of(hub.markets)
    session = replayable(loaded, hub.specs.values())
    progress("compile", 0, None)
    wired = wire(session, opened=of_meta(meta, session.config))
    for block, one in zip(wired.config.strategies, wired.loaded, strict=True):
        for text in unheard(block.label, one, wired.data.kinds):
            hub.note("unheard", text)
    warm = await warm_up(hub, wired, progress)

    def fill(folder: RunFolder) -> None:
        write_inputs(folder, session, wired, [["journal"]], JOURNAL)

    folder = SessionFolder.create(runs_folder(loaded, request.out), session.config.name, session.hash(), fill)
    try:
        folded = start_fold(wired, folder.path / ".rows")
        live = live_of(wired, folded)
        live.record(JournalWriter(folder.path / "journal", meta, sync_s=0))
        live.command(Command.START, int(warm["ts_recv"][0]) if len(warm) else clock.now_ns())
        if len(warm):
            live.apply(warm)
    except BaseException:
        folder.release()
        raise
    return Begun(session, wired, folder, folded, live)


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Say on standard error why something beside the session ended early; the session itself goes on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        sys.stderr.write(f"{task.get_name()} ended: {error}\n")


def _session(begun: Begun, hub: Hub, clock: Clock, kept: Kept | None) -> Session:
    """Return the session; one that goes on knows of its feeds what was `kept`."""
    feed = begun.wired.config.feed
    assert feed is not None
    session = Session(hub, clock, begun.live, begun.folded, begun.folder, feed)
    if kept is not None:
        take_up(session, kept)
    return session


async def _go(begun: Begun, session: Session, request: PaperRequest, progress: Progress) -> RunResult:
    """Run the session with its watches, then write its end; who cannot wait for that is not heard."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, session.stop, "interrupted")
    progress("live", 0, None)
    watches = [asyncio.create_task(watch(session), name=watch.__name__) for watch in request.watches]
    for task in watches:
        task.add_done_callback(_tell_failure)
    start = time.perf_counter()
    try:
        await session.run(request.duration_s)
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        gc.unfreeze()
        gc.enable()
    try:
        return _ended(session, begun, time.perf_counter() - start, progress)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _ended(session: Session, begun: Begun, seconds: float, progress: Progress) -> RunResult:
    """Write the end of a session; raise what ended it, if something did."""
    if isinstance(session.failure, StoreError):
        session.failure.hint = f"nothing that was applied is lost: tradectl paper --resume {begun.folder.path}"
        raise session.failure
    data, events = begun.wired.data, Journal(begun.folder.path / "journal", recover=True)
    data.notes = first_bar_notes(begun.wired.config, replace(data, chunks=events.chunks))
    summary = write_end(session, begun.loaded, begun.wired, seconds, progress)
    if session.failure is not None:
        raise session.failure
    return RunResult(begun.folder.path, summary)
