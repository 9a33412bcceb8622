"""Random sessions and times in force that end by themselves, for random runs on bars and on ticks."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

from tests.golden.protocol import Config, Request, Submit
from tradectl.core.codes import TimeInForce

__all__ = ["with_hours", "with_times"]

BEYOND = (3 * 10**18, 4 * 10**18)  # a session after all data


def with_hours(rng: random.Random, config: Config, start: int, unit: int, span: int) -> Config:
    """Return a configuration with sessions of a few units of time, some without a pause, over a span of units."""
    made, at = [], start + unit * rng.randint(-3, 2) + rng.choice([0, 0, unit // 2])
    while at < start + span * unit:
        closes = at + unit * rng.randint(2, 9) + rng.choice([0, 0, 0, unit // 3])
        made.append((at, closes))
        at = closes + unit * rng.choice([0, 1, 1, 2, 4]) + rng.choice([0, 0, unit // 2])
    return replace(config, sessions=(*made, BEYOND), keeps_outside=rng.random() < 0.4)


def with_times(rng: random.Random, now: int, unit: int, requests: Iterable[Request]) -> list[Request]:
    """Return requests of a time in which many orders that may rest become DAY or GTD, a few with a wrong time."""
    made: list[Request] = []
    for request in requests:
        draw = rng.random()
        if not isinstance(request, Submit) or request.time_in_force != TimeInForce.GTC or draw < 0.3:
            made.append(request)
        elif draw < 0.7:
            made.append(replace(request, time_in_force=int(TimeInForce.DAY), expires=rng.choice([0] * 40 + [now])))
        else:
            ends = now + unit * rng.randint(0, 6) + rng.choice([0, 1, unit // 2])
            made.append(replace(request, time_in_force=int(TimeInForce.GTD), expires=ends))
    return made
