"""A session that only needs its feeds, and the live driver of its fold."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tradectl.cli.paper_keys import restore_terminal
from tradectl.cli.runner_fold import Folded
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired
from tradectl.db.session import SessionFolder
from tradectl.engine.host import Host
from tradectl.engine.host_watchdog import Hang
from tradectl.engine.live import Live

__all__ = ["Begun", "live_of"]


@dataclass(frozen=True)
class Begun:
    """A session that only needs its feeds."""

    loaded: Loaded
    wired: Wired
    folder: SessionFolder
    folded: Folded
    live: Live


def live_of(wired: Wired, folded: Folded) -> Live:
    """Return the live driver of a wired run, without a journal yet."""
    feed = wired.config.feed
    assert feed is not None
    host = Host(
        folded.state,
        folded,
        hooks=wired.hooks,
        watchdog_s=wired.config.engine.watchdog.ns / 1e9,
        on_hang=_hung,
        commands=False,
        lazy=True,  # rows are written between messages, not before an order is sent
    )
    host.open()  # what is replayed, and the warm-up, may hang like anything else
    return Live(host, feed.grace.ns)


def _hung(hang: Hang) -> None:
    """End the process: compiled code in a loop cannot be stopped, and the journal has all that was applied."""
    restore_terminal()
    hint = "`tradectl paper --resume` would meet it again: mend the strategy and begin anew"
    os.write(2, f"error: {hang}\n  {hint}\n".encode())
    os._exit(4)
