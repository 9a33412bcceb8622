"""Markets over real ccxt from a local server: exact specifications, refusals, and the copy for offline use."""

from __future__ import annotations

import asyncio
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.exchanges.rest_fake import PAGE, Fake, binance_info, binance_symbol
from tradectl.errors import FeedError
from tradectl.exchanges import markets
from tradectl.exchanges.connect import new_exchange

SWAP = binance_symbol(contractType="PERPETUAL", marginAsset="USDT", quantityPrecision=3, pricePrecision=1)
INVERSE = binance_symbol(
    "BTCUSD_PERP", contractType="PERPETUAL", marginAsset="BTC", baseAsset="BTC", quoteAsset="USD"
)


def load(routes: dict[str, Any], symbols: tuple[str, ...], cache: Path | None = None, **fake: Any) -> Any:
    """Return (markets, hosts and paths called, what was told)."""

    async def work() -> Any:
        async with Fake(routes, **fake) as server:
            exchange = new_exchange("binance", server.endpoint)
            said: list[str] = []
            try:
                found = await markets.load_markets(exchange, cache, symbols, said.append)
            finally:
                await exchange.close()
            return found, [path for path, _ in server.calls], said

    return asyncio.run(work())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markets, "QUICK", markets.QUICK.__class__(3, 0.01, 0.02))


def test_a_spot_market_is_exact_and_no_other_host_is_called() -> None:
    found, called, _ = load({"exchangeInfo": lambda _: binance_info()}, ("BTC/USDT",))
    assert called == ["api.binance.com/api/v3/exchangeInfo"]
    spec = markets.instrument_of("binance", found["BTC/USDT"])
    one = spec.instrument
    assert (one.id, one.base, one.quote, spec.raw_id) == ("BINANCE:BTC/USDT", "BTC", "USDT", "BTCUSDT")
    assert (one.tick_size, one.lot_size, spec.qty_step) == (Decimal("0.01"), Decimal("1E-5"), Decimal("1E-5"))
    assert (one.min_qty, one.min_notional) == (Decimal("0.00001"), Decimal(5))
    assert (spec.maker, spec.taker, spec.kind, spec.linear) == (
        Decimal("0.001"),
        Decimal("0.001"),
        "spot",
        True,
    )


def test_a_swap_is_quoted_in_what_settles_it() -> None:
    found, called, _ = load({"exchangeInfo": lambda _: binance_info(SWAP)}, ("BTC/USDT:USDT",))
    assert called == ["fapi.binance.com/fapi/v1/exchangeInfo"]
    spec = markets.instrument_of("binance", found["BTC/USDT:USDT"])
    assert (spec.kind, spec.instrument.quote, spec.contract_size) == ("swap", "USDT", 1)


def test_lots_of_contracts_are_in_units_of_base() -> None:
    market = {
        "symbol": "BTC/USDT:USDT", "id": "BTC-USDT-SWAP", "type": "swap", "linear": True, "base": "BTC",
        "quote": "USDT", "settle": "USDT", "contractSize": "0.01", "precision": {"price": "0.1", "amount": "0.1"},
        "limits": {"amount": {"min": "0.1"}, "cost": {"min": None}}, "maker": 0.0002, "taker": 0.0005,
    }  # fmt: skip
    spec = markets.instrument_of("okx", market)
    assert (spec.instrument.lot_size, spec.qty_step) == (Decimal("0.001"), Decimal("0.1"))
    assert (spec.instrument.min_qty, spec.instrument.min_notional) == (Decimal("0.001"), 0)
    assert (spec.maker, spec.taker) == (Decimal("0.0002"), Decimal("0.0005"))


def test_inverse_contracts_options_and_markets_without_a_step_are_refused() -> None:
    found, _, _ = load({"exchangeInfo": lambda _: binance_info(INVERSE)}, ("BTC/USD:BTC",))
    with pytest.raises(FeedError, match="inverse"):
        markets.instrument_of("binance", found["BTC/USD:BTC"])
    base = {
        "symbol": "A/B",
        "id": "AB",
        "base": "A",
        "quote": "B",
        "precision": {"price": None, "amount": "1"},
    }
    with pytest.raises(FeedError, match="option"):
        markets.instrument_of("x", base | {"type": "option"})
    with pytest.raises(FeedError, match="no price step"):
        markets.instrument_of("x", base | {"type": "spot"})


def test_an_unknown_symbol_gets_the_nearest() -> None:
    found, _, _ = load({"exchangeInfo": lambda _: binance_info()}, ("BTC/USDT",))
    with pytest.raises(FeedError, match="did you mean 'BTC/USDT'"):
        markets.find_market("binance", "BTC/USTD", found)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((200, PAGE, {}), "not JSON"),
        ((200, "{}", {}), "no markets"),
        ((200, '{"symbols": []}', {}), "no markets"),
        ((503, PAGE, {}), "503"),
    ],
)
def test_answers_that_hold_no_markets_are_refused_with_the_host(answer: Any, text: str) -> None:
    with pytest.raises(FeedError, match=text) as caught:
        load({}, ("BTC/USDT",), failures=deque([answer] * 3))
    assert "127.0.0.1" in str(caught.value)


def test_one_bad_answer_is_asked_again() -> None:
    found, called, said = load(
        {"exchangeInfo": lambda _: binance_info()}, ("BTC/USDT",),
        failures=deque([(200, PAGE, {}), (429, "{}", {"Retry-After": "0.05"})]),
    )  # fmt: skip
    assert list(found) == ["BTC/USDT"]
    assert len(called) == 3
    assert "again in 0.05 s" in said[1]


def test_the_copy_serves_when_the_network_is_down_and_says_how_old_it_is(tmp_path: Path) -> None:
    async def work() -> None:
        exchanges = []
        async with Fake({"api/v3/exchangeInfo": lambda _: binance_info()}) as server:
            exchanges.append(new_exchange("binance", server.endpoint))
            first = await markets.load_markets(exchanges[0], tmp_path, ["BTC/USDT"])
            server.routes = {"fapi/v1/exchangeInfo": lambda _: binance_info(SWAP)}
            exchanges.append(new_exchange("binance", server.endpoint))
            await markets.load_markets(exchanges[1], tmp_path, ["BTC/USDT:USDT"])
        said: list[str] = []
        exchanges.append(new_exchange("binance", server.endpoint))
        kept = await markets.load_markets(exchanges[2], tmp_path, ["BTC/USDT"], said.append)
        assert markets.instrument_of("binance", kept["BTC/USDT"]) == markets.instrument_of(
            "binance", first["BTC/USDT"]
        )
        assert "BTC/USDT:USDT" in kept  # kinds that were not asked for last stay
        assert exchanges[2].market("BTC/USDT")["id"] == "BTCUSDT"
        assert "0.0 days ago" in said[-1]
        exchanges.append(new_exchange("binance", server.endpoint))
        with pytest.raises(FeedError, match=server.endpoint[7:]):
            await markets.load_markets(exchanges[3], None, ["BTC/USDT"])
        for exchange in exchanges:
            await exchange.close()

    asyncio.run(work())
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("binance@127.0.0.1")  # a local server's markets are not the venue's


def test_the_table_leaves_out_what_cannot_be_traded() -> None:
    found, _, _ = load({"exchangeInfo": lambda _: binance_info(INVERSE, SWAP)}, ("BTC/USDT:USDT",))
    assert [(row["symbol"], row["lot_size"]) for row in markets.market_table("binance", found)] == [
        ("BTC/USDT:USDT", "0.00001")
    ]
    with pytest.raises(FeedError, match="inverse"):
        markets.market_table("binance", found, ["BTC/USD:BTC"])
