"""Whole paper sessions against a sandbox in the same loop: real ccxt, shipped strategies, journal, summary, replay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from tradectl.cli.paper_session import Session
from tradectl.cli.runner import verify_run
from tradectl.cli.runner_paper import PaperRequest, run_session
from tradectl.core.codes import EventKind
from tradectl.core.depth_view import shown_best, shown_next, shown_qty
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import market_at, venue_at
from tradectl.engine.journal import Journal
from tradectl.exchanges.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
# Parameters with which the shipped strategies trade within seconds on the sandbox's BTC at some 60,000.
EAGER: dict[str, dict[str, Any]] = {
    "market_maker": {
        "params": {
            "gamma": 0.02,
            "qty": 0.01,
            "max_inventory": 20,
            "requote_ticks": 5,
            "warmup": 2,
            "interval": 0.05,
        }
    },
    "imbalance_taker": {"params": {"qty": 0.05, "enter": 0.25, "smooth": 0.5, "pause": 0.2, "hold": 2.0}},
    "book_grid": {"params": {"lines": 8, "step": 1, "qty": 0.01, "pause": 0.5, "look": 0.1}},
    "twap": {"params": {"qty": 0.5, "duration": 6.0, "slices": 6}},
    "vwap": {"params": {"side": "sell", "qty": 0.5, "delay": 0.5, "duration": 6.0, "slices": 6}},
    "sma_cross": {
        "params": {"fast": 2, "slow": 3, "short": True},
        "sizing": {"method": "percent_equity", "value": 0.1},
    },
    "rsi_reversion": {
        "params": {"length": 2, "low": 50.0, "stop": 0.0002, "target": 0.0002},
        "sizing": {"method": "percent_equity", "value": 0.1},
    },
}
TICKS = ("market_maker", "imbalance_taker", "book_grid", "twap", "vwap")
BARS = ("sma_cross", "rsi_reversion")
Steer = Callable[["Playing"], Awaitable[None]]
Levels = dict[int, int]  # price in ticks -> lots


def strategies(names: Sequence[str], symbols: Sequence[str]) -> list[dict[str, Any]]:
    """Return the blocks of shipped strategies, each on all of the symbols."""
    return [
        {"path": str(ROOT / "strategies" / f"{name}.py"), "symbols": list(symbols), **EAGER[name]}
        for name in names
    ]


def write_config(folder: Path, blocks: Any, exchanges: Mapping[str, Any], **changes: Any) -> Path:
    """Write the configuration of a session; `feed` among the changes is added to the block."""
    quick = {"stale": "5s", "backoff": "1s", "fsync": "200ms", "snapshot": "2s"}
    config = {
        "name": "played",
        "strategies": blocks,
        "bars": ["1s"],
        "feed": {"exchanges": dict(exchanges), **quick, **changes.pop("feed", {})},
        "account": {"type": "margin", "currency": "USDT", "balance": 1_000_000, "leverage": 3},
        "execution": {"queue": "power3"},
        "fees": {"maker": 0, "taker": 0.0004},
    }
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump(config | changes))
    return path


@dataclass
class Playing:
    """A session under way and the server that it listens to."""

    session: Session
    server: Sandbox

    @property
    def fills(self) -> int:
        return int(self.session.folded.state.engine[0]["n_fills"])

    def traded(self) -> int:
        """Return how many pairs of strategy and instrument have filled at least once."""
        spool = self.session.folded.spool
        spool.flush()
        pairs = [rows[["strategy", "instrument"]] for rows in spool.read("fills", 65_536)]
        return len(np.unique(np.concatenate(pairs))) if pairs else 0

    def book(self, index: int) -> tuple[Levels, Levels]:
        """Return what the fold takes an instrument's bids and asks to be."""
        world = self.session.folded.state.world
        market, venue = market_at(world.markets, index), venue_at(world.venues, index)
        sides: tuple[Levels, Levels] = ({}, {})
        for side in range(2):
            ticks = shown_best(world.books, market, venue, side)
            while ticks not in (NO_BID, NO_ASK):
                sides[side][ticks] = shown_qty(world.books, market, venue, side, ticks)
                ticks = shown_next(world.books, market, venue, side, ticks)
        return sides

    def true_book(self, index: int) -> tuple[Levels, Levels]:
        """Return the server's."""
        market = self.session.hub.markets[index]
        told = self.server.truth(market.exchange, market.symbol)
        tick, lot = market.instrument.tick_size, market.qty_step
        bids, asks = (
            {int(Decimal(price) / tick): int(Decimal(str(qty)) / lot) for price, qty in told[name]}
            for name in ("bids", "asks")
        )
        return bids, asks

    def books_are_whole(self) -> bool:
        """Say whether the fold trusts every book."""
        return not self.session.folded.state.venues["broken"].any()

    def trades_are_told(self) -> bool:
        """Say whether the last trade of each market is the server's; not where ids are texts."""
        for market in self.session.hub.markets:
            last = self.server.venues[market.exchange].market(market.symbol).trades.next_id - 1
            if self.session.folded.state.venues[market.index]["trade_id"] != last:
                return False
        return True

    def books_are_true(self) -> bool:
        """Say whether every book is whole and the server's, as far as it is deep."""
        if not self.books_are_whole():
            return False
        for market in self.session.hub.markets:
            index = market.index
            for mine, true, sign in zip(self.book(index), self.true_book(index), (-1, 1), strict=True):
                there = sorted(true, key=lambda ticks, s=sign: s * ticks)[: len(mine)]  # type: ignore[misc]
                if len(mine) < min(len(true), 10) or mine != {ticks: true[ticks] for ticks in there}:
                    return False
        return True

    async def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            notes = [f"{n.what} {n.symbol} {n.channel} {n.text}" for n in list(self.session.hub.log.notes)[-10:]]
            assert self.session.failure is None, self.session.failure
            assert time.monotonic() < end, "\n".join([f"no {what} within {seconds:g} s", *notes])
            await asyncio.sleep(0.05)


@dataclass
class Played:
    """A session that has ended."""

    folder: Path
    summary: dict[str, Any]
    true_trades: dict[int, list[tuple[int, int, int]]]  # by instrument index: id, ticks, lots

    def events(self) -> Any:
        """Return the journal."""
        return np.concatenate(list(Journal(self.folder / "journal").chunks()))

    def fills(self) -> dict[str, int]:
        """Return how many fills each strategy had."""
        table = pl.read_parquet(self.folder / "fills.parquet").group_by("strategy").len()
        return {str(name): int(count) for name, count in table.rows()}

    def trades(self, index: int) -> list[tuple[int, int, int]]:
        """Return the journal's trades of an instrument in order: id, ticks, lots."""
        events = self.events()
        mine = events[(events["kind"] == EventKind.TRADE) & (events["instrument"] == index)]
        return list(zip(mine["w2"].tolist(), mine["w0"].tolist(), mine["w1"].tolist(), strict=True))

    def assert_trades_are_true(self, ids: bool = True) -> None:
        """Fail unless the journal has the server's trades from the first one on, each once, in order."""
        for index, true in self.true_trades.items():
            mine = self.trades(index)
            k = 0 if ids else 1  # ids that are texts are hashed
            assert mine
            assert [one[k:] for one in mine] == [one[k:] for one in true[-len(mine) :]]

    def assert_identical(self) -> None:
        """Fail unless `verify` says that the replay is the session."""
        assert self.summary["status"] == "complete"
        assert self.summary["audit"]["balanced"]
        found = verify_run(self.folder)
        assert (found.exit_code, found.differences) == (0, ())


@asynccontextmanager
async def outage(server: Sandbox) -> AsyncIterator[None]:
    """Let nobody reach a server, whose market goes on."""
    await server._front.stop()
    yield
    await server._front.start(server.host, server.port)


def _true_trades(playing: Playing) -> dict[int, list[tuple[int, int, int]]]:
    found = {}
    for market in playing.session.hub.markets:
        tick, lot = market.instrument.tick_size, market.qty_step
        found[market.index] = [
            (one["id"], int(Decimal(one["price"]) / tick), int(Decimal(str(one["qty"])) / lot))
            for one in playing.server.truth(market.exchange, market.symbol)["trades"]
        ]
    return found


def play(
    server: Sandbox,
    out: Path,
    config: Callable[[str], Path] | None,
    steer: Steer,
    *,
    resume: Path | None = None,
    settles: bool = True,
    limit_s: float = 60.0,
) -> Played:
    """Run a session on a server that has not been entered: `config` gets its endpoint, `steer` watches and returns.

    Then the market stands still until the books are the server's, and the session ends.
    """
    seen: list[BaseException] = []
    trades: dict[int, list[tuple[int, int, int]]] = {}

    async def watch(session: Session) -> None:
        playing = Playing(session, server)
        try:
            await steer(playing)
            if settles:
                server.pause()
                await playing.until(playing.books_are_true, 20, "true books")
                await asyncio.sleep(0.1)
                trades.update(_true_trades(playing))
        except BaseException as error:
            seen.append(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            session.stop("it was seen")

    async def both() -> tuple[Path, dict[str, Any]]:
        async with server:
            path = None if config is None else config(server.endpoint)
            request = PaperRequest(path, resume, out=out, watches=(watch,), duration_s=limit_s)
            result = await run_session(request, lambda *_: None)
            return result.run_dir, result.summary

    folder, summary = asyncio.run(both())
    if seen:
        raise seen[0]
    return Played(folder, summary, trades)
