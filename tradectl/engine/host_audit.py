"""The ledger audit at the end of a fold, in integers, with zero tolerance; and the orders still live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tradectl.core.codes import AccountType, OrderFlag, OrderStatus
from tradectl.engine.ports import Rows
from tradectl.engine.state import State
from tradectl.errors import InvariantViolation

__all__ = ["Balance", "audit_ledger", "ledgers", "live_orders"]


@dataclass(frozen=True)
class Balance:
    """One currency's ledger, in atoms; `rate_pico` is its value in the account's currency, in 1e-12."""

    currency: str
    initial_atoms: int
    balance_atoms: int
    cost_atoms: int
    fees_atoms: int
    realised_atoms: int
    value_atoms: int
    rate_pico: int
    funding_atoms: int = 0

    @property
    def difference(self) -> int:
        """Return balance + cost + fees + funding − initial − realised: 0 in a sound ledger."""
        held = self.balance_atoms + self.cost_atoms + self.fees_atoms + self.funding_atoms
        return held - self.initial_atoms - self.realised_atoms


def live_orders(state: State) -> Rows:
    """Return copies of the orders that are working or on their way, by order id."""
    table = state.orders[: state.spec.order_capacity]
    status = table["status"]
    rows = table[(status >= OrderStatus.SUBMITTED) & (status <= OrderStatus.PENDING_CANCEL)]
    rows = rows[np.argsort(rows["id"])]
    mark = np.where(state.venues["broken"] == 0, state.markets["twice_mark"], 0)
    rows["twice_end"] = mark[rows["instrument"]]  # where the data end
    return rows


def total(values: Rows) -> int:
    """Return the exact sum of int64 values."""
    return int(values.sum()) if len(values) and int(np.abs(values).max()) < 2**40 else sum(values.tolist())


def ledgers(state: State) -> list[Balance]:
    """Return every currency's ledger, the account's own first; cost is summed over the positions."""
    n, s = len(state.spec.instruments), len(state.spec.strategies)
    cost = state.positions[: n * s]["cost_atoms"].reshape(s, n)
    made = []
    for k, name in enumerate(state.currency_names):
        row = state.currencies[k]
        held = total(cost[:, state.markets[:n]["currency"] == k].ravel())
        fields = ("fees_atoms", "realised_atoms", "value_atoms", "rate_pico", "funding_atoms")
        start, balance = int(row["initial_atoms"]), int(row["balance_atoms"])
        made.append(Balance(name, start, balance, held, *(int(row[f]) for f in fields)))
    return made


def audit_ledger(state: State, balances: list[Balance]) -> None:
    """Raise InvariantViolation where anything is off by one atom or one lot."""
    n, s = len(state.spec.instruments), len(state.spec.strategies)
    positions = state.positions[: n * s].reshape(s, n)
    live, faults = live_orders(state), []
    for k, balance in enumerate(balances):
        name, row, mine = balance.currency, state.currencies[k], state.markets[:n]["currency"] == k
        if balance.difference:
            faults.append(f"{name}: the ledger is off by {balance.difference} atoms")
        for field in ("fees_atoms", "realised_atoms", "funding_atoms"):
            found = total(positions[field][:, mine].ravel())
            if int(row[field]) != found:
                faults.append(f"{name}: {field} of the positions add up to {found}, not {int(row[field])}")
        reserved = total(live["reserve_atoms"][np.isin(live["instrument"], np.flatnonzero(mine))])
        if state.engine[0]["account_type"] == AccountType.CASH and reserved != int(row["reserved_atoms"]):
            faults.append(f"{name}: {int(row['reserved_atoms'])} atoms reserved, live orders need {reserved}")
    faults += _audit_orders(state, live)
    if faults:
        raise InvariantViolation("the ledger audit failed: " + "; ".join(faults[:8]))


def _audit_orders(state: State, live: Rows) -> list[str]:
    """Compare the counters of working orders and net positions with what they count."""
    engine, faults = state.engine[0], []
    n, s = len(state.spec.instruments), len(state.spec.strategies)
    positions = state.positions[: n * s].reshape(s, n)
    if int(engine["n_live"]) != len(live):
        faults.append(f"{int(engine['n_live'])} live orders counted, {len(live)} found")
    if engine["account_type"] != AccountType.CASH and int(engine["reserved_atoms"]) != total(
        live["reserve_atoms"]
    ):
        faults.append(f"{int(engine['reserved_atoms'])} atoms reserved, not {total(live['reserve_atoms'])}")
    exposure = total(live["exposure_atoms"])
    if int(engine["exposure_atoms"]) != exposure:
        faults.append(f"exposure of live orders is {exposure} atoms, not {int(engine['exposure_atoms'])}")
    if not np.array_equal(positions["lots"].sum(axis=0), state.markets[:n]["net_lots"]):
        faults.append("the positions of the strategies do not add up to the net positions")
    opening = live[(live["flags"] & int(OrderFlag.REDUCE_ONLY)) == 0]
    for side, field in ((1, "open_buy_lots"), (-1, "open_sell_lots")):
        rows = opening[opening["side"] == side]
        found = np.zeros(s * n, np.int64)
        np.add.at(found, rows["strategy"].astype(np.int64) * n + rows["instrument"], rows["held_lots"])
        if not np.array_equal(found, positions[field].ravel()):
            faults.append(f"{field} differ from the live orders")
    return faults
