"""Queue models: where in a price level a resting order stands, estimated from the level's quantity.

A model says how likely a cancellation stood behind us; `front_after` turns that into the quantity ahead.
A new model is one module with `probability` and one line in `behind`, plus its code in `QueueModel`.
"""

from __future__ import annotations

from tradectl.core.codes import QueueModel
from tradectl.core.jit import kernel, routine
from tradectl.core.queues import log, log2, power, power2, power3, risk_averse

__all__ = ["front_after"]

POWER, LOG = int(QueueModel.POWER), int(QueueModel.LOG)
POWER2, LOG2, POWER3 = int(QueueModel.POWER2), int(QueueModel.LOG2), int(QueueModel.POWER3)
RISK_AVERSE = int(QueueModel.RISK_AVERSE)

_risk_averse, _power, _power2 = risk_averse.probability, power.probability, power2.probability
_power3, _log, _log2 = power3.probability, log.probability, log2.probability


@kernel
def behind(model, front, back, exponent, lot_size):
    """Return a model's probability that a cancellation was behind us; quantities in lots."""
    if model == POWER3:
        return _power3(front, back, exponent)
    if model == POWER:
        return _power(front, back, exponent)
    if model == POWER2:
        return _power2(front, back, exponent)
    if model == LOG:
        return _log(front * lot_size, back * lot_size, exponent)
    if model == LOG2:
        return _log2(front * lot_size, back * lot_size, exponent)
    return _risk_averse(front, back, exponent)


@routine
def front_after(model, exponent, lot_size, front, before, after, traded):
    """Return the quantity ahead (lots) once a level went from `before` to `after` lots, `traded` of them by trades.

    front' = min(front - (1 - p) chg + min(back - p chg, 0), after) with chg = before - after - traded and
    back = before - front; where the level grew, min(front, after).
    """
    cancelled = float(before - after - traded)
    if cancelled < 0.0 or model == RISK_AVERSE:
        return min(front, float(after))
    back = before - front
    p = behind(model, front, back, exponent, lot_size)
    moved = front - (1.0 - p) * cancelled + min(back - p * cancelled, 0.0)
    return moved if moved < after else float(after)  # also where moved is NaN (0 / 0)
