"""A strategy that writes down every bar it is called on, and the fold of a configuration with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.codes import Command, FoldCode, Reason
from tradectl.engine.host import command_event
from tradectl.engine.state import State

__all__ = ["COLUMNS", "seen_bars"]

COLUMNS = (
    "frame", "end", "open", "close", "volume", "session", "session_open", "session_close", "is_open", "high", "low",
    "length", "now",
)  # fmt: skip
LOGGER = '''
"""Write down every bar."""
from tradectl.strategy import DAY, Array, Int64, strategy


@strategy
class Logger:
    """Write down every bar; the first one of the source sends DAY orders that do not fill."""

    class State:
        n = Int64()
        rows = Array(Int64, 524288)
        sent = Int64()

    def on_bar(ctx, p, s):
        at = s.n * 13
        s.rows[at] = ctx.frame
        s.rows[at + 1] = ctx.ts_event
        s.rows[at + 2] = ctx.open_ticks
        s.rows[at + 3] = ctx.close_ticks
        s.rows[at + 4] = ctx.volume_lots
        s.rows[at + 5] = ctx.session
        s.rows[at + 6] = ctx.session_open
        s.rows[at + 7] = ctx.session_close
        s.rows[at + 8] = ctx.is_session_open
        s.rows[at + 9] = ctx.high_ticks
        s.rows[at + 10] = ctx.low_ticks
        s.rows[at + 11] = ctx.timeframe_ns
        s.rows[at + 12] = ctx.now
        s.n += 1
        if ctx.frame < 0:
            ctx.buy(1.0, limit=1.0, tif=DAY)
'''


def seen_bars(folder: Path, config: dict[str, Any]) -> tuple[Any, State]:
    """Return one row of COLUMNS for each call of the logger, and the state at the end."""
    (folder / "logger.py").write_text(LOGGER)
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({"strategy": {"path": "logger.py"}, **config}))
    wired = wire(load_config(path, env={}))
    state = State(wired.spec)
    events = np.concatenate([command_event(Command.START, 0), *(chunk.copy() for chunk in wired.chunks(65_536))])
    done = 0
    while done < len(events):
        code, count = state.fold(events[done:])
        assert code in (FoldCode.DONE, FoldCode.DRAIN), Reason(int(state.engine[0]["fault_reason"])).name
        done += count
        if code == FoldCode.DRAIN:
            state.drain()
    offset = int(state.strategies[0]["state"])
    memory = state.blob[offset : offset + int(state.strategies[0]["state_size"])].view(np.int64)
    return memory[1 : 1 + len(COLUMNS) * int(memory[0])].reshape(-1, len(COLUMNS)), state
