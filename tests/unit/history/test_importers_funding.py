"""Funding rates from tables, and from Binance's stream of mark prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.history.test_importers_feeds import MS, binance, read, written
from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.files import Place
from tradectl.history.importers import Options, importer

HOUR = 3_600_000_000_000
TEXT = "Symbol,Date,Funding Rate\nBTC-USDT,2022-01-01 03:00:00.004,0.0001\nBTC-USDT,2022-01-01 11:00:00.000,-0.00025\n"


def table(tmp_path: Path, text: str, **options: object) -> dict[str, list[tuple[int, int, float]]]:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    asked = Options(**{"kind": "funding", "tz": "Europe/Moscow", **options})  # type: ignore[arg-type]
    found = importer("funding").read([Place(path)], asked)
    return {name: frame.select("ts_event", "kind", "price").rows() for name, frame in found}


def test_a_table_of_rates(tmp_path: Path) -> None:
    first, kind = 1_640_995_200_000_000_000, int(EventKind.FUNDING)  # 2022-01-01 00:00 UTC: late by 4 ms
    rows = [(first, kind, 0.0001), (first + 8 * HOUR, kind, -0.00025)]
    assert table(tmp_path, TEXT) == {"BTC-USDT": rows}
    assert table(tmp_path, TEXT, extra={"symbol": "BTC-PERP"}) == {"BTC-PERP": rows}


@pytest.mark.parametrize(
    ("text", "options", "error", "told"),
    [
        (TEXT.replace("Funding Rate", "Basis"), {}, DataError, "no column for rate of funding"),
        (TEXT, {"mapping": {"price": "Rates"}}, DataError, "column 'Rates' for price is not in the header"),
        (TEXT.splitlines()[0] + "\n", {}, DataError, "no data row below the header"),
        (TEXT, {"kind": "trades"}, ConfigError, "trades is not in a table of funding rates"),
        (TEXT, {"extra": {"sybmol": "X"}}, ConfigError, "sybmol"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, options: dict[str, object], error: type, told: str) -> None:
    with pytest.raises(error, match=told):
        table(tmp_path, text, **options)


def test_binance_settles_once(tmp_path: Path) -> None:
    """A rate is quoted with every mark price; it is charged when its time has passed, as last quoted."""
    quotes = [(5, 10, "0.1"), (9, 10, "0.2"), (10, 20, "0.3"), (11, 20, "0.4"), (20, 30, "0.5")]
    lines = binance(
        *({"e": "markPriceUpdate", "E": at, "T": due, "s": "X", "p": "7", "r": rate} for at, due, rate in quotes),
        {"e": "markPriceUpdate", "E": 31, "T": 0, "s": "Y", "p": "7", "r": ""},
        {"e": "markPriceUpdate", "E": 41, "T": 0, "s": "Y", "p": "7", "r": ""},
    )
    found = read("binance_ws", [written(tmp_path / "a.txt", lines)])
    rows = found["X"]
    paid = rows.filter(rows["kind"] == int(EventKind.FUNDING))
    assert paid.select("ts_event", "price").rows() == [(10 * MS, 0.2), (20 * MS, 0.4)]
    assert rows.height == 7
    assert set(found["Y"]["kind"]) == {int(EventKind.MARK)}
