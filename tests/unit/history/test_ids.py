"""Symbols that name what settles them are no ids, and what a catalogue says of an instrument is used."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tradectl.history.generate import Walk, generate
from tradectl.history.model import DataBlock, InstrumentSpec, split_id
from tradectl.history.open import open_history
from tradectl.history.plan import key_of
from tradectl.history.profiles import split_pair


@pytest.mark.parametrize(
    ("name", "venue", "symbol"),
    [
        ("BTC/USDT", "", "BTC/USDT"),
        ("X:BTC/USDT", "X", "BTC/USDT"),
        ("BTC/USDT:USDT", "", "BTC/USDT:USDT"),
        ("X:BTC/USDT:USDT-250627", "X", "BTC/USDT:USDT-250627"),
        ("NYSE:BRK.B", "NYSE", "BRK.B"),
    ],
)
def test_ids(name: str, venue: str, symbol: str) -> None:
    assert split_id(name) == (venue, symbol)


def test_a_swap_is_not_its_spot_market() -> None:
    assert key_of("X:BTC/USDT:USDT") == "BTCUSDTUSDT" != key_of("X:BTC/USDT")
    assert split_pair("BTC/USDT:USDT", None) == ("BTC/USDT:USDT", "BTC", "USDT")


def test_minima_of_a_catalogue_hold_unless_the_config_says_otherwise(tmp_path: Path) -> None:
    generate(Walk(("BTC/USD",), 100), tmp_path)
    path = tmp_path / "catalogue.json"
    index = json.loads(path.read_text())
    (entry,) = index["series"].values()
    entry |= {"min_qty": "0.002", "min_notional": "5"}
    path.write_text(json.dumps(index))
    for spec, expected in (({}, "0.002"), ({"BTC/USD": InstrumentSpec(min_qty=Decimal(0))}, "0")):
        (one,) = open_history([DataBlock(str(tmp_path))], spec).instruments
        assert (one.min_qty, one.min_notional) == (Decimal(expected), Decimal(5))
