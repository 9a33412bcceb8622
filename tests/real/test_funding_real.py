"""BTC-PERP of January 2022 with Binance's funding: every charge computed again by hand from the files."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import pytest

from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.codes import Command, FoldCode
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.host import command_event
from tradectl.engine.host_audit import audit_ledger, ledgers
from tradectl.engine.state import State

SHARED = Path(__file__).parents[3] / "shared" / "data"
BARS = SHARED / "perp_1m" / "btc-perp-20211231-20220201_1m.csv.gz"
RATES = SHARED / "funding" / "BTC-USDT_binance_2020-01-01_2024-01-01_funding_history.csv.gz"
pytestmark = pytest.mark.skipif(not BARS.is_file(), reason="../shared/data/perp_1m is not there")

ATOMS = 10**8
FLIP = 500 if DISABLE_JIT else 20_000  # the bar after which the strategy goes short
STRATEGY = f'''
"""Hold two, then be short of three."""
from tradectl.strategy import Int64, strategy


@strategy
class Hold:
    """Hold two, then be short of three."""

    class State:
        n = Int64()

    def on_bar(ctx, p, s):
        s.n += 1
        if s.n == 1:
            ctx.buy(qty=2.0)
        elif s.n == {FLIP}:
            ctx.sell(qty=5.0)
'''
END = "2022-01-02" if DISABLE_JIT else "2022-02-01"
CONFIG = f"""
strategy: {{path: hold.py}}
data:
- {{source: {BARS}, kind: bars, timeframe: 1m, symbols: [BTC-PERP], to: {END}}}
- source: {RATES}
  kind: funding
  tz: Europe/Moscow  # stamps are three hours ahead of UTC
  options: {{symbol: BTC-PERP}}
  from: 2021-12-31
  to: {END}T00:01:00
instruments: {{BTC-PERP: {{tick_size: 1, lot_size: 0.0001}}}}
account: {{type: margin, balance: 1000000, leverage: 3}}
"""


def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as text:
        return list(csv.DictReader(text))


def by_hand(last: datetime) -> list[tuple[datetime, Decimal, Decimal, int]]:
    """Return (time, position, rate, atoms paid) of every settlement until `last`."""
    bars = table(BARS)
    ends = [datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC) + timedelta(minutes=1) for row in bars]
    closes = dict(zip(ends, (Decimal(row["close"]) for row in bars), strict=True))
    made = []
    for row in table(RATES):
        at = datetime.fromisoformat(row["Date"]).replace(tzinfo=UTC) - timedelta(hours=3)
        at = (at + timedelta(milliseconds=500)).replace(microsecond=0)
        if at not in closes or at > last:
            continue
        held = sum(1 for end in ends if end <= at)  # an order of bar n is filled in bar n + 1
        lots = Decimal(0) if held < 2 else Decimal(2) if held <= FLIP else Decimal(-3)
        price = closes[at].quantize(Decimal(1), ROUND_HALF_EVEN)
        paid = (lots * price * Decimal(row["Funding Rate"]) * ATOMS).to_integral_value(ROUND_CEILING)
        made.append((at, lots, Decimal(row["Funding Rate"]), int(paid)))
    return made


def test_every_settlement_is_charged_as_by_hand(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text(STRATEGY)
    (tmp_path / "run.yaml").write_text(CONFIG)
    wired = wire(load_config(tmp_path / "run.yaml", env={}))
    state, paid, last = State(wired.spec), [], 0
    for chunk in wired.chunks(65_536):
        if not last:
            state.fold(command_event(Command.START, int(chunk["ts_recv"][0])))
        last = int(chunk["ts_recv"][-1])
        assert state.fold(chunk) == (FoldCode.DONE, len(chunk))
        paid.append(state.drain()["funding"])
    state.fold(command_event(Command.STOP, last))
    rows = np.concatenate([*paid, state.drain()["funding"]])
    wanted = [row for row in by_hand(datetime.fromtimestamp(last / 1e9, UTC)) if row[1]]
    assert len(rows) == len(wanted) >= (3 if DISABLE_JIT else 90)
    for row, (at, lots, rate, atoms) in zip(rows, wanted, strict=True):
        assert int(row["ts_event"]) == int(at.timestamp()) * 10**9
        assert (int(row["lots"]), int(row["rate_pico"])) == (int(lots * 10_000), int(rate * 10**12))
        assert int(row["funding_atoms"]) == atoms, at
    total = sum(atoms for *_, atoms in wanted)
    balances = ledgers(state)
    assert (balances[0].funding_atoms, balances[0].difference) == (total, 0)
    audit_ledger(state, balances)
    value = int(state.markets["value_atoms"][0])
    assert int(state.engine["equity_atoms"][0]) == balances[0].balance_atoms + value
