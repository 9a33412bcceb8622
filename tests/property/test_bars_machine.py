"""A state machine: any mix of bars, requests, commands and statuses; both backends agree after each of them."""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.golden.kernel_backend import KernelBackend
from tests.golden.oracle_backend import OracleBackend
from tests.golden.protocol import Bar, Cancel, Modify, Request, Step, Submit
from tests.oracle.random_flow import MINUTE, START, compare, make_flow
from tests.property.invariants import check
from tradectl.core.codes import Command, MarketStatus, OrderType, TimeInForce

CASES = int(os.environ.get("TRADECTL_CASES", "120"))
TYPES = [OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT]
NEAR = st.integers(-4, 4)
CONFIGS = st.integers(0, 10_000).map(lambda seed: make_flow(seed, 1).config)


class BarsMachine(RuleBasedStateMachine):
    """One run on the oracle and on the kernels; requests wait for the timestamp that carries them."""

    @initialize(config=CONFIGS)
    def begin(self, config):
        self.oracle, self.kernels = OracleBackend(), KernelBackend()
        self.oracle.configure(config)
        self.kernels.configure(config)
        self.n = len(config.instruments)
        self.last = [100] * self.n
        self.gone = [False] * self.n
        self.sent = 0
        self.step = Step(START)
        self.requests: list[Request] = []
        self.fold({i: Bar(100, 100, 100, 100, 100) for i in range(self.n)})

    def fold(self, bars):
        """Close the timestamp with these bars; compare what the backends say to it."""
        self.step.bars = bars
        self.step.requests, self.requests = (self.requests, []) if bars else ([], self.requests)
        one, two = self.oracle.step(self.step), self.kernels.step(self.step)
        text = compare(self.oracle.result(), self.kernels.result(), [one.outcomes], [two.outcomes])
        assert not text, f"{text}\n{self.step}"
        self.step = Step(self.step.ts + MINUTE)

    @rule(gap=NEAR, up=st.integers(0, 8), down=st.integers(0, 8), at=st.floats(0, 1),
          volume=st.sampled_from([None, 0, 3, 50]), skip=st.integers(0, 9))  # fmt: skip
    def bar(self, gap, up, down, at, volume, skip):
        bars = {}
        for i in range(self.n):
            if self.gone[i] or skip == i:
                continue
            opened = max(2, self.last[i] + gap)
            high, low = opened + up, max(1, opened - down)
            self.last[i] = low + round(at * (high - low))
            bars[i] = Bar(opened, high, low, self.last[i], volume)
        if bars or self.step.statuses or self.step.commands:
            self.fold(bars)

    @rule(i=st.integers(0, 2), side=st.sampled_from([1, -1]), kind=st.sampled_from(TYPES), qty=st.integers(1, 12),
          limit=NEAR, stop=NEAR, tif=st.sampled_from(list(TimeInForce)[:3]), post=st.booleans(),
          reduce=st.booleans())  # fmt: skip
    def submit(self, i, side, kind, qty, limit, stop, tif, post, reduce):
        i %= self.n
        near, post = self.last[i], post and kind == OrderType.LIMIT and tif == TimeInForce.GTC
        self.requests.append(
            Submit(side, kind, qty, max(1, near + limit), max(1, near + stop), tif, post, reduce, i)
        )
        self.sent += 1

    @rule(back=st.integers(0, 9))
    def cancel(self, back):
        self.requests.append(Cancel(max(1, self.sent - back)))

    @rule(back=st.integers(0, 9), qty=st.sampled_from([None, 1, 4, 9]), price=NEAR)
    def modify(self, back, qty, price):
        near = max(1, self.last[0] + price)
        self.requests.append(Modify(max(1, self.sent - back), qty, near, near))

    @rule(command=st.sampled_from([Command.HALT, Command.RESUME, Command.RESUME, Command.REDUCE, Command.CANCEL_ALL,
                                   Command.FLATTEN]))  # fmt: skip
    def command(self, command):
        self.step.commands.append(command)

    @rule(i=st.integers(0, 2), to=st.sampled_from([MarketStatus.LISTED, MarketStatus.HALTED, MarketStatus.DELISTED]))
    def status(self, i, to):
        i %= self.n
        if not self.gone[i]:
            self.gone[i] = to == MarketStatus.DELISTED
            self.step.statuses.append((i, to, 0))

    @invariant()
    def the_state_is_whole(self):
        if hasattr(self, "kernels"):
            check(self.kernels.state)


TestBarsMachine = BarsMachine.TestCase
TestBarsMachine.settings = settings(max_examples=CASES, stateful_step_count=40, deadline=None)
