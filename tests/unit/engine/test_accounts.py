"""Accounts shared by several strategies, and accounts in several currencies."""

from __future__ import annotations

from tests.property.invariants import check
from tests.unit.engine.accounts import MINUTE, UNIT, Desk, instrument, margin
from tradectl.core.codes import AccountType, OrderFlag, OrderType, Reason, RequestKind
from tradectl.engine.spec import AccountSpec, InstrumentLimits, RiskSpec

XUSD = instrument("X/USD")
RICH = margin("USD", {"USD": 100_000}, leverage=1)


def test_two_strategies_hold_positions_of_their_own() -> None:
    desk = Desk([XUSD], RICH)
    desk.bars(100)
    assert desk.submit(0, 0, 1, 5) == 0
    assert desk.submit(1, 0, -1, 3) == 0
    desk.bars(100)
    assert (desk.lots(0, 0), desk.lots(1, 0), desk.net(0)) == (5, -3, 2)
    assert int(desk.state.engine[0]["margin_atoms"]) == 2 * 100 * UNIT  # of the net position
    flags = int(OrderFlag.REDUCE_ONLY)
    assert desk.submit(1, 0, -1, 1, flags=flags) == Reason.REDUCE_ONLY_WOULD_OPEN  # the other's position is no help
    assert desk.submit(1, 0, 1, 9, flags=flags) == 0
    desk.bars(110)
    assert (desk.lots(0, 0), desk.lots(1, 0), desk.net(0)) == (5, 0, 5)
    assert int(desk.state.positions[1]["realised_atoms"]) == -3 * 10 * UNIT
    check(desk.state)


def test_a_position_opens_with_its_first_fill() -> None:
    """It opens at the stamp of the fill, the start of the bar, not at the bar's end; a flip opens it anew."""
    desk = Desk([XUSD], RICH)
    desk.bars(100)
    for side, lots in ((1, 2), (1, 1), (-1, 5), (-1, 1)):
        assert desk.submit(0, 0, side, lots) == 0
        desk.bars(100)
    opened, _, flipped, _ = (int(fill["ts_event"]) for fill in desk.fills)
    assert (opened, flipped) == (MINUTE, 3 * MINUTE)
    assert int(desk.state.positions[0]["ts_opened"]) == flipped
    check(desk.state)


def test_reduce_only_orders_of_another_strategy_stay() -> None:
    desk = Desk([XUSD], RICH)
    desk.bars(100)
    for s in (0, 1):
        assert desk.submit(s, 0, 1, 4) == 0
    desk.bars(100)
    for s in (0, 1):
        stop = {"trigger_ticks": 90, "flags": int(OrderFlag.REDUCE_ONLY)}
        assert desk.submit(s, 0, -1, 4, OrderType.STOP_MARKET, **stop) == 0
    assert desk.submit(0, 0, -1, 3) == 0
    desk.bars(100)
    left = {int(o["strategy"]): int(o["leaves_lots"]) for o in desk.state.orders if o["status"] == 3}
    assert left == {0: 1, 1: 4}  # shrunk to what is left; the other's stop is whole
    check(desk.state)


def test_position_limit_is_of_the_account() -> None:
    desk = Desk([XUSD], RICH, limits=InstrumentLimits(max_position_lots=10))
    desk.bars(100)
    assert desk.submit(0, 0, 1, 6) == 0
    assert desk.submit(1, 0, 1, 5) == Reason.MAX_POSITION
    assert desk.submit(1, 0, 1, 4) == 0
    assert desk.submit(1, 0, -1, 11) == Reason.MAX_POSITION
    assert desk.submit(1, 0, -1, 10) == 0
    check(desk.state)


def test_a_cash_account_sells_only_the_strategy_s_own() -> None:
    desk = Desk([XUSD], AccountSpec(AccountType.CASH, "USD", {"USD": 1_000 * UNIT}))
    desk.bars(100)
    assert desk.submit(0, 0, 1, 5) == 0
    assert desk.submit(1, 0, 1, 6) == Reason.INSUFFICIENT_BUYING_POWER
    assert desk.submit(1, 0, 1, 5) == 0
    desk.bars(100)
    assert desk.submit(1, 0, -1, 6) == Reason.INSUFFICIENT_POSITION
    assert desk.submit(1, 0, -1, 5) == 0
    assert desk.submit(1, 0, -1, 1) == Reason.INSUFFICIENT_POSITION
    check(desk.state)


def test_exposure_of_both_strategies_counts() -> None:
    desk = Desk([XUSD], RICH, risk=RiskSpec(max_exposure_atoms=1_000 * UNIT))
    desk.bars(100)
    assert desk.submit(0, 0, 1, 6) == 0
    assert desk.submit(1, 0, 1, 5) == Reason.MAX_EXPOSURE
    assert desk.submit(1, 0, 1, 4) == 0
    check(desk.state)


def currencies(desk: Desk) -> dict[str, dict[str, int]]:
    rows = zip(desk.state.currency_names, desk.state.currencies, strict=True)
    return {name: {field: int(row[field]) for field in row.dtype.names} for name, row in rows}


def test_a_price_is_the_rate_of_a_currency() -> None:
    """ETH/BTC in a USD account whose BTC are rated by BTC/USD."""
    btc, eth = instrument("BTC/USD"), instrument("ETH/BTC", "0.01", "0.1")
    desk = Desk([btc, eth], margin("USD", {"USD": 10_000, "BTC": 2}))
    desk.bars(1_000, 5)  # BTC at 1,000 USD, ETH at 0.05 BTC
    assert int(desk.state.engine[0]["equity_atoms"]) == 12_000 * UNIT
    assert desk.submit(0, 1, 1, 100) == 0  # 10 ETH: 0.5 BTC
    desk.bars(1_000, 5)
    money = currencies(desk)
    assert money["BTC"]["balance_atoms"] == 150_000_000
    assert money["BTC"]["value_atoms"] == 50_000_000
    assert money["USD"]["balance_atoms"] == 10_000 * UNIT
    assert int(desk.state.engine[0]["margin_atoms"]) == 500 * UNIT
    desk.bars(2_000, 6)  # ETH: 0.6 BTC of 2,000 USD each
    assert int(desk.state.engine[0]["equity_atoms"]) == 10_000 * UNIT + (150_000_000 + 60_000_000) * 2_000
    assert int(desk.state.engine[0]["margin_atoms"]) == 60_000_000 * 2_000
    assert int(desk.state.engine[0]["gross_atoms"]) == 60_000_000 * 2_000
    assert desk.submit(1, 0, 1, 3) == 0
    assert desk.submit(0, 1, -1, 40) == 0
    desk.bars(1_500, 7)
    money = currencies(desk)
    assert money["BTC"]["realised_atoms"] == 4 * 2_000_000  # 4 ETH sold 0.02 BTC higher
    check(desk.state)


def test_equity_is_sampled_once_all_that_is_held_has_a_rate() -> None:
    """Before BTC/USD has a price, 2 BTC are worth neither 0 nor anything else: no sample, no drawdown."""
    btc, eth = instrument("BTC/USD"), instrument("ETH/USD")
    account = margin("USD", {"USD": 10_000, "BTC": 2})
    desk = Desk([btc, eth], account, risk=RiskSpec(max_drawdown_nano=100_000_000))
    assert desk.state.initial_atoms is None
    desk.bars(None, 100)
    assert desk.submit(0, 1, 1, 50) == 0
    desk.bars(None, 100)
    desk.bars(None, 60)  # 2,000 lost of 10,000 and of what the BTC are worth
    assert not desk.samples
    engine = desk.state.engine[0]
    assert (int(engine["breached"]), float(engine["max_drawdown"])) == (0, 0.0)
    desk.bars(20_000, 60)
    desk.bars(21_000, 60)
    assert desk.samples == [48_000 * UNIT, 50_000 * UNIT]
    assert Desk([btc, eth], margin("USD", {"USD": 7})).state.initial_atoms == 7 * UNIT
    known = AccountSpec(balances={"USD": UNIT, "BTC": 2 * UNIT}, rates_pico={"BTC": 3 * 10**12})
    assert Desk([btc, eth], known).state.initial_atoms == 7 * UNIT


def test_fees_stay_in_the_quote_currency() -> None:
    btc, eth = instrument("BTC/USD"), instrument("ETH/BTC", "0.01", "0.1")
    desk = Desk([btc, eth], margin("USD", {"USD": 10_000, "BTC": 2}), limits=InstrumentLimits(0, 1_000_000))
    desk.bars(1_000, 5)
    assert desk.submit(0, 1, 1, 100) == 0
    assert desk.submit(0, 0, 1, 1) == 0
    desk.bars(1_000, 5)
    money = currencies(desk)
    assert money["BTC"]["fees_atoms"] == 50_000  # 0.1 % of 0.5 BTC
    assert money["USD"]["fees_atoms"] == UNIT  # 0.1 % of 1,000 USD
    check(desk.state)


def test_only_the_order_s_own_id_reaches_it() -> None:
    desk = Desk([XUSD], RICH)
    desk.bars(100)
    assert desk.submit(0, 0, 1, 5, OrderType.LIMIT, price_ticks=90) == 0
    cancel = int(RequestKind.CANCEL)
    assert desk.submit(0, 0, 0, 0, 0, kind=cancel, order_id=1 + 64) == Reason.UNKNOWN_ORDER  # the same slot
    assert desk.submit(1, 0, 0, 0, 0, kind=cancel, order_id=1) == Reason.UNKNOWN_ORDER  # another's order
    assert desk.submit(0, 0, 0, 0, 0, kind=cancel, order_id=1) == 0
    check(desk.state)
