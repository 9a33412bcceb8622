"""Settings become the engine's integers exactly, or an error that names the key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.parity.helpers import small_run, write_bars, write_config
from tradectl.config.load import load_config
from tradectl.config.wire import Wired, wire
from tradectl.config.wire_data import find_instrument
from tradectl.config.wire_numbers import scaled
from tradectl.core.codes import AccountType, Breach, PathRule, SizingMethod
from tradectl.core.instrument import Instrument
from tradectl.core.layout import NO_LIMIT
from tradectl.errors import ConfigError, DataError, StrategyError

MINUTE = 60 * 10**9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("wire")
    write_bars(made / "bars" / "AAAUSD.csv", n=50)
    write_bars(made / "bars" / "BBBUSD.csv", n=50, seed=2)
    return made


def wired(folder: Path, **changes: Any) -> Wired:
    return wire(load_config(write_config(folder, **changes), env={}))


@pytest.mark.parametrize(
    ("value", "factor", "expected"),
    [
        ("0.1", 10, 1),
        ("1.00", 1, 1),
        ("0.000000001", 10**9, 1),
        ("-0.0002", 10**9, -200_000),
        ("1E+3", 1, 1000),
    ],
)
def test_scaled_is_exact(value: str, factor: int, expected: int) -> None:
    assert scaled(Decimal(value), factor, "x") == expected


@pytest.mark.parametrize(("value", "message"), [("0.15", "x: 0.15 is finer"), ("1e19", "x: .* is larger")])
def test_scaled_refuses_what_does_not_fit(value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scaled(Decimal(value), 10, "x")


def test_everything_reaches_the_spec(folder: Path) -> None:
    spec = wired(
        folder,
        account={"type": "margin", "currency": "USD", "balance": 1234.5, "leverage": 2.5},
        execution={"path": "ohlc", "participation": 0.25, "slippage": {"bps": 2.5}, "limit_touch": "touch",
                   "limit_gap": "open", "entry_bar": False, "delisting": "write_off",
                   "latency": {"entry": "50ms", "response": "20ms"}},
        fees={"maker": -0.0001, "taker": 0.0005},
        instruments={
            "AAA/USD": {"tick_size": 0.01, "lot_size": 0.001, "max_qty": 7, "fees": {"maker": 0, "taker": 0.001}},
            "BBB/USD": {"tick_size": 0.01, "lot_size": 0.5, "listed": "2024-01-01"},
        },
        risk={"max_order_qty": 10, "max_order_notional": 5000, "price_collar": 0.1, "max_position": 20.25,
              "max_exposure": 1e6, "max_open_orders": 5, "max_order_rate": "3/10s", "max_drawdown": 0.2,
              "on_breach": "flatten"},
        sizing={"method": "notional", "value": 250},
    ).spec  # fmt: skip
    account, execution, risk = spec.account, spec.execution, spec.risk
    assert (account.account_type, account.leverage_nano) == (AccountType.MARGIN, 2_500_000_000)
    assert account.balances == {"USD": 123_450_000_000}
    assert (execution.path, execution.participation_nano) == (PathRule.OHLC, 250_000_000)
    assert (execution.slip_ticks, execution.slip_nano, execution.slip_share_nano) == (0, 250_000, 0)
    assert (execution.limit_touch, execution.limit_gap_open, execution.entry_bar) == (True, True, False)
    assert (execution.latency_entry_ns, execution.latency_response_ns) == (50_000_000, 20_000_000)
    assert execution.write_off
    assert (risk.max_order_notional_atoms, risk.price_collar_nano) == (500_000_000_000, 100_000_000)
    assert (risk.max_open_orders, risk.rate_orders, risk.rate_ns) == (5, 3, 10 * 10**9)
    assert (risk.max_drawdown_nano, risk.on_breach) == (200_000_000, Breach.FLATTEN)
    a, b = spec.limits
    assert (a.maker_nano, a.taker_nano, b.maker_nano) == (0, 1_000_000, -100_000)
    assert (a.max_order_lots, b.max_order_lots) == (10_000, 20)
    assert a.max_qty_lots == 7_000
    assert (a.max_position_lots, b.max_position_lots) == (20_250, 40)
    assert (a.listed, b.listed) == (True, False)
    strategy = spec.strategies[0]
    assert (strategy.sizing_method, strategy.sizing_value) == (SizingMethod.NOTIONAL, 25_000_000_000)
    assert not strategy.disable_on_error


def test_what_is_left_out_is_not_limited(folder: Path) -> None:
    spec = wired(folder).spec
    assert spec.risk.max_order_notional_atoms == spec.risk.max_drawdown_nano == NO_LIMIT
    assert spec.limits[0].max_order_lots == spec.limits[0].max_position_notional == NO_LIMIT
    assert spec.request_capacity >= 2 * 2 + 64
    assert (spec.frames_ns, spec.call_source_bars) == ((), True)


@pytest.mark.parametrize(
    ("bars", "frames", "source"),
    [
        (["1m"], (), True),
        (["5m"], (5,), False),
        (["1h", "1m", "5m"], (5, 60), True),
        (["1h", "15m"], (15, 60), False),
    ],
)
def test_derived_bars(folder: Path, bars: list[str], frames: tuple[int, ...], source: bool) -> None:
    spec = wired(folder, bars=bars).spec
    assert (spec.frames_ns, spec.call_source_bars) == (tuple(f * MINUTE for f in frames), source)


def test_a_limit_below_a_lot_is_told(folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"risk\.max_order_qty: 0\.0001 is less than one lot of LOCAL:AAA/USD"
    ):
        wired(folder, risk={"max_order_qty": 0.0001})


def test_strategies_trade_their_symbols(folder: Path) -> None:
    path = write_config(folder)
    loaded = load_config(path, ["strategy.symbols=[BBB/USD]", "strategy.on_error=disable"], env={})
    strategy = wire(loaded).spec.strategies[0]
    assert strategy.instruments == (1,)
    assert strategy.disable_on_error


def test_symbols_are_found_by_id_or_alone() -> None:
    made = [
        Instrument(v, s, "A", "USD", Decimal(1), Decimal(1))
        for v, s in (("X", "A/USD"), ("Y", "A/USD"), ("X", "B/USD"))
    ]
    assert find_instrument("B/USD", made) == 2
    assert find_instrument("Y:A/USD", made) == 1
    with pytest.raises(ConfigError, match="several venues: name one of X:A/USD, Y:A/USD"):
        find_instrument("A/USD", made)
    with pytest.raises(ConfigError, match="did you mean 'B/USD'"):
        find_instrument("BB/USD", made)


def test_detail_bars_size_their_store(folder: Path, tmp_path: Path) -> None:
    data = [
        {"source": str(folder / "bars"), "timeframe": "1m", "detail": True},
        {"source": str(folder / "bars"), "timeframe": "1m"},
    ]
    with pytest.raises(ConfigError, match="not finer"):
        wired(tmp_path, data=data, execution={"detail": "1m"})


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"kind": "journal", "source": "bars"}, DataError, "holds no journal"),
        ({"kind": "journal", "source": "nowhere"}, DataError, "no such run or journal"),
        (
            [{"kind": "journal", "source": "bars"}, {"source": "bars", "timeframe": "1m"}],
            ConfigError,
            "cannot be merged",
        ),
    ],
)
def test_a_journal_that_is_none_is_told(
    folder: Path, data: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        wired(folder, data=data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"from": "2024-01-01"}}, r"data\.from: a journal is replayed whole"),
        ({"data": {"symbols": ["AAA/USD"]}}, r"data\.symbols: a journal is replayed whole"),
        ({"instruments": {"AAA/USD": {"tick_size": 0.1}}}, "0.1 is not the 0.01 of the venue or journal"),
    ],
)
def test_a_journal_is_replayed_as_it_is(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    run = small_run(tmp_path, journal=True).run_dir
    data = {"kind": "journal", "source": str(run), **changes.get("data", {})}
    with pytest.raises(ConfigError, match=message):
        wired(tmp_path / "again", **{**changes, "data": data})


def test_a_strategy_is_checked_before_the_data(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(:\n")
    with pytest.raises(StrategyError, match=r"mine\.py:1"):
        wired(tmp_path, strategy={"path": "mine.py"}, data={"source": "nothing.csv", "timeframe": "1m"})


def test_a_derived_bar_that_the_data_begin_inside_of_is_noted(folder: Path) -> None:
    data = {"source": "bars", "timeframe": "1m", "from": "2024-01-01T00:07:00Z"}
    opened = wired(folder, data=data, bars=["1m", "5m"]).data
    assert opened.report is not None
    note = "first bar of 5m is partial: data of LOCAL:AAA/USD begin at 2024-01-01T00:07:00Z"
    assert opened.report.notes == [f"{note} (40% of it is missing), and of 1 more"]


def test_a_rate_of_a_currency_that_is_not_used_is_refused(folder: Path) -> None:
    account: dict[str, Any] = {"type": "margin", "currency": "EUR", "balances": {"EUR": 100, "CHF": 5}}
    rates = {"USD": 0.9, "CHF": 1.1}
    used = wired(folder, account=account | {"rates": rates}).spec.account.rates_pico
    assert used == {"USD": 900_000_000_000, "CHF": 1_100_000_000_000}
    message = r"run\.yaml:\d+: account\.rates\.USDT: no .* USDT .* did you mean 'USD'\? valid: CHF, EUR, USD"
    with pytest.raises(ConfigError, match=message):
        wired(folder, account=account | {"rates": rates | {"USDT": 0.9}})
