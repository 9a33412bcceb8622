"""Which instrument funding belongs to: the one of its symbol that has prices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.history.book_files import joined, table
from tests.unit.history.helpers import START_MS, bars, write
from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError
from tradectl.history.importing import import_data
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history


def prices(tmp_path: Path, venue: str | None = "BINANCE", symbol: str = "AAAUSD") -> DataBlock:
    """Return a block of an hour of minutes; it begins at START."""
    path = write(tmp_path / f"{venue}" / f"{symbol}_1m.csv", bars(60))
    return DataBlock(str(path), timeframe="1m", venue=venue)


def rates(tmp_path: Path, symbol: str = "AAA-USD", venue: str | None = None) -> DataBlock:
    """Return a block of funding half an hour after START."""
    path = write(tmp_path / "rates.csv", [f"{symbol},{START_MS + 1_800_000},0.0001"], header="symbol,timestamp,rate")
    return DataBlock(str(path), kind="funding", venue=venue)


def paid(blocks: list[DataBlock], **specs: InstrumentSpec) -> list[str]:
    """Return the instruments, with a star where funding is charged."""
    history = open_history(blocks, specs)
    events = joined(history)
    charged = set(events["instrument"][events["kind"] == EventKind.FUNDING].tolist())
    return [one.id + "*" * (k in charged) for k, one in enumerate(history.instruments)]


def test_funding_without_a_venue_is_of_the_prices(tmp_path: Path) -> None:
    assert paid([prices(tmp_path), rates(tmp_path)]) == ["BINANCE:AAA/USD*"]
    assert paid([rates(tmp_path), prices(tmp_path)]) == ["BINANCE:AAA/USD*"]
    assert paid([prices(tmp_path, None), rates(tmp_path)]) == ["LOCAL:AAA/USD*"]


def test_of_several_venues_one_must_be_said(tmp_path: Path) -> None:
    both = [prices(tmp_path), prices(tmp_path, "BYBIT")]
    with pytest.raises(ConfigError, match=r"funding of AAA/USD can be that of BINANCE:AAA/USD or BYBIT:AAA/USD"):
        paid([*both, rates(tmp_path)])
    assert paid([*both, rates(tmp_path, venue="BYBIT")]) == ["BINANCE:AAA/USD", "BYBIT:AAA/USD*"]


@pytest.mark.parametrize(("symbol", "venue"), [("AAB-USD", None), ("AAA-USD", "BINANC"), ("AAA-USD", "LOCAL")])
def test_funding_of_no_prices_is_refused(tmp_path: Path, symbol: str, venue: str | None) -> None:
    with pytest.raises(ConfigError, match=r"rates\.csv: funding of .*, which has no prices") as told:
        paid([prices(tmp_path), rates(tmp_path, symbol, venue)])
    assert "BINANCE:AAA/USD" in told.value.hint


def test_an_alias_has_the_funding_of_its_symbol(tmp_path: Path) -> None:
    """The symbol itself, which the block of prices leaves out, is no instrument of its own."""
    perp = {"PERP": InstrumentSpec(alias="AAA/USD")}
    asked = replace(prices(tmp_path, None), symbols=["PERP"])
    assert paid([asked, rates(tmp_path)], **perp) == ["LOCAL:PERP*"]
    asked = replace(prices(tmp_path), symbols=["PERP"])
    assert paid([asked, rates(tmp_path, "PERP")], **perp) == ["BINANCE:PERP*"]


def test_a_catalogue_s_funding_is_of_its_prices(tmp_path: Path) -> None:
    rows = [f"{START_MS + k},100,1" for k in (0, 3_600_000)]
    trades = table(tmp_path / "AAAUSD.csv", "timestamp,price,qty", rows)
    import_data([DataBlock(str(trades), kind="trades", venue="BINANCE")], tmp_path / "cat")
    for symbol in ("AAAUSD", "BBBUSD"):
        import_data([rates(tmp_path, symbol)], tmp_path / "cat")
    assert paid([DataBlock(str(tmp_path / "cat"), kind="book")]) == ["BINANCE:AAA/USD*", "LOCAL:BBB/USD*"]


def test_detail_bars_alone_are_no_prices(tmp_path: Path) -> None:
    detail = replace(prices(tmp_path, symbol="BBBUSD"), detail=True)
    with pytest.raises(ConfigError, match="BINANCE:BBB/USD has only `detail: true` bars"):
        paid([prices(tmp_path), detail])
