"""Real paper sessions to look at: a configuration on the book sample of `data/`, its events brought by a replayed hub.

As a program (CONFIG OUT [fails|exits]) it is a session with control socket and view, at about the market's pace.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

import tradectl.cli.runner_paper as runner
from tests.paper.replayed import ROOT, EventClock, ReplayedHub
from tradectl.cli.paper_session import Session
from tradectl.cli.runner import RunResult

Look = Callable[[Session], Awaitable[None]]


def config_file(folder: Path, **changes: Any) -> Path:
    """Write the configuration of a market maker on a feed; return its path."""
    config = yaml.safe_load((ROOT / "configs" / "market_maker.yaml").read_text())
    config["strategy"]["path"] = str(ROOT / "strategies" / "market_maker.py")
    del config["data"]
    config["feed"] = {"exchanges": {"binance": {"symbols": ["ALTSYN/USD"]}}}
    path = folder / "paper.yaml"
    path.write_text(yaml.safe_dump(config | changes))
    return path


def run_until(config: Path, out: Path, events: int, look: Look, *watches: Any) -> RunResult:
    """Run a session; look at it after so many events, and then end it."""
    seen: list[BaseException] = []

    async def at(session: Session) -> None:
        while session.live.events < events and session.failure is None:
            await asyncio.sleep(0)
        try:
            await look(session)
        except BaseException as error:
            seen.append(error)
        session.stop("it was seen")

    request = runner.PaperRequest(config, out=out, watches=(at, *watches))
    result = runner.run_paper(request, lambda *_: None)
    if seen:
        raise seen[0]
    return result


class PacedHub(ReplayedHub):
    """Brings two events every 5 ms, and what was waiting first at once."""

    burst = 2
    limit = 1 << 40

    async def start(self, wake: Callable[[], None]) -> None:
        async def paced() -> None:
            while self._at < len(self._events):
                await asyncio.sleep(0 if self._at < 12_000 else 0.005)
                wake()

        self._task = asyncio.create_task(paced())


def leave(*_: object) -> None:
    """End the process as a watchdog does."""
    from tradectl.cli.paper_keys import restore_terminal

    restore_terminal()
    os._exit(4)


def main() -> None:
    from tradectl.cli.paper_control import serve_control
    from tradectl.cli.paper_view import View, live_view

    config, out, *end = sys.argv[1:]
    if end == ["fails"]:
        View._rate = lambda *_: 1 / 0  # type: ignore[method-assign]
    if end == ["exits"]:
        View.press = leave  # type: ignore[method-assign]
    runner.Hub, runner.Clock = PacedHub, EventClock  # type: ignore[misc, assignment]
    request = runner.PaperRequest(Path(config), out=Path(out), watches=(serve_control, live_view))
    runner.run_paper(request, lambda *_: None)


if __name__ == "__main__":
    main()
