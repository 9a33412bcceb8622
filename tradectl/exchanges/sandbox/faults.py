"""What the sandbox does wrong on demand: by the clock, by chance, or told while it runs."""

from __future__ import annotations

import heapq
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tradectl.errors import ConfigError, nearest
from tradectl.exchanges.sandbox.fault import ANY, KINDS, SECOND_NS, Fault
from tradectl.exchanges.sandbox.outlet import Outlet

if TYPE_CHECKING:
    from tradectl.exchanges.sandbox.server import Venue

__all__ = ["Faults"]

SHAPERS = ("gap", "stale", "malformed", "checksum", "burst", "duplicate", "reorder")
NUMBER = re.compile(
    r'(:|\[|,)("?)\d+\.\d+("?)'
)  # the first decimal of a message: a price or, where these are whole, a quantity
CHECKSUM = re.compile(r'("checksum":)(-?\d+)')
MOST_TOLD = 1_000  # faults of which the state tells
Message = tuple[Outlet, str, str, str]  # outlet, topic, kind, text


@dataclass(eq=False)
class _Active:
    """A fault that is on: until when, how many messages it still concerns, and those held back."""

    fault: Fault
    until_ns: int
    left: int
    held: list[Message] = field(default_factory=list)

    def concerns(self, exchange: str, kind: str = "") -> bool:
        one = self.fault
        return one.exchange in ("", exchange) and (not kind or one.channel in ("", kind))

    def shape(self, message: Message) -> list[Message]:
        """Return what becomes of a message."""
        outlet, topic, kind, text = message
        what = self.fault.kind
        if what == "stale":
            return []
        if what == "checksum" and CHECKSUM.search(text) is None:
            return [message]
        self.left -= 1
        if what == "gap":
            return []
        if what == "duplicate":
            return [message, message]
        if what == "malformed":
            broken = (
                text[: len(text) * 2 // 3]
                if self.fault.way == "json"
                else NUMBER.sub(r"\1\2NaN\3", text, count=1)
            )
            return [(outlet, topic, kind, broken)]
        if what == "checksum":
            return [(outlet, topic, kind, CHECKSUM.sub(lambda found: f"{found[1]}{int(found[2]) ^ 1}", text))]
        self.held.append(message)  # burst and reorder
        return [] if self.left else self.release()

    def release(self) -> list[Message]:
        """Return what is held back, in the order in which it is sent."""
        freed = self.held[::-1] if self.fault.kind == "reorder" else self.held
        self.held = []
        return freed


class Faults:
    """The faults to come and those that are on, of all venues of a server."""

    def __init__(self, venues: Sequence[Venue], planned: Sequence[Fault], seed: int) -> None:
        self.venues = {venue.name: venue for venue in venues}
        self.done: dict[str, Any] = {"count": 0, "kinds": {}, "list": []}
        self._started = time.time_ns()
        self._random = random.Random(f"{seed}:faults")
        self._active: list[_Active] = []
        self._old: dict[str, tuple[int, dict[Any, Any]]] = {}  # exchange -> calls left, books as they were
        self._plan: list[tuple[int, int, Fault]] = []
        for order, fault in enumerate(planned):
            self._check(fault)
            heapq.heappush(self._plan, (self._wait(fault) if fault.is_random else fault.at_ns, order, fault))

    def _wait(self, fault: Fault) -> int:
        return int(self._random.expovariate(1.0) * fault.every_ns) if fault.is_random else fault.every_ns

    def _check(self, fault: Fault) -> None:
        """Raise ConfigError for a fault that none of these venues can have."""
        if fault.exchange and fault.exchange not in self.venues:
            raise ConfigError(
                f"fault {fault}: the sandbox has no {fault.exchange}",
                hint=nearest(fault.exchange, self.venues),
            )
        if fault.kind == "checksum" and not any(v.protocol.has_checksum for v in self._of(fault)):
            raise ConfigError(
                f"fault {fault}: none of these exchanges sends checksums", hint="valid: kraken, okx"
            )

    def _of(self, fault: Fault) -> list[Venue]:
        return [venue for venue in self.venues.values() if fault.exchange in ("", venue.name)]

    def tick(self, elapsed_ns: int) -> None:
        """Begin what is due and end what is over."""
        while self._plan and self._plan[0][0] <= elapsed_ns:
            at, order, fault = heapq.heappop(self._plan)
            self.begin(fault)
            if fault.every_ns:
                heapq.heappush(self._plan, (at + max(self._wait(fault), 1), order, fault))
        if self._active:
            now = time.time_ns()
            self._active = [one for one in self._active if now < one.until_ns and one.left > 0]
            if not any(one.fault.kind in SHAPERS for one in self._active):
                for venue in self.venues.values():
                    venue.outlet.shape = None

    def begin(self, fault: Fault) -> None:
        """Let a fault happen now."""
        if fault.kind == ANY:
            kinds = [
                kind
                for kind in KINDS
                if kind != "checksum" or any(v.protocol.has_checksum for v in self._of(fault))
            ]
            fault = replace(Fault.parse(self._random.choice(kinds)), exchange=fault.exchange)
        self._check(fault)
        now = time.time_ns()
        self.done["count"] += 1
        self.done["kinds"][fault.kind] = self.done["kinds"].get(fault.kind, 0) + 1
        self.done["list"].append({"fault": str(fault), "at_s": (now - self._started) / SECOND_NS})
        del self.done["list"][:-MOST_TOLD]
        if fault.kind in ("drop", "refuse"):
            for venue in self._of(fault):
                for connection in list(venue.outlet.connections):
                    connection.cut()
                    venue.outlet.forget(connection)
        if fault.kind == "old_snapshot":
            for venue in self._of(fault):
                self._old[venue.name] = (
                    fault.count,
                    {n.market: n.market.copy_of_book() for n in venue.protocol.named},
                )
        elif fault.kind != "drop":
            lasting = fault.for_ns if not fault.count else 1 << 62
            self._active.append(_Active(fault, now + lasting, fault.count or 1))
            if fault.kind in SHAPERS and fault.way != "html":
                for venue in self._of(fault):
                    venue.outlet.shape = self._shape

    def _shape(self, outlet: Outlet, topic: str, kind: str, text: str) -> None:
        """Send what the faults that are on make of a message."""
        messages: list[Message] = [(outlet, topic, kind, text)]
        for one in self._active:
            if (
                one.fault.kind in SHAPERS
                and one.fault.way != "html"
                and one.left > 0
                and one.concerns(outlet.exchange, kind)
            ):
                messages = [
                    shaped
                    for message in messages
                    for shaped in (one.shape(message) if one.left > 0 else [message])
                ]
        for to, about, what, words in messages:
            to.deliver(about, what, words)

    def _on(self, kind: str, exchange: str, way: str = "") -> _Active | None:
        """Return the fault of a kind that is on for a venue."""
        now = time.time_ns()
        for one in self._active:
            is_on = one.fault.kind == kind and one.left > 0 and now < one.until_ns
            if is_on and one.concerns(exchange) and way in ("", one.fault.way):
                return one
        return None

    def refuses(self, exchange: str) -> bool:
        """Return whether new connections are refused."""
        return self._on("refuse", exchange) is not None

    def limited(self, exchange: str) -> int:
        """Return for how many seconds REST calls are refused, 0: they are not."""
        one = self._on("limit", exchange)
        return 0 if one is None else max(-(-(one.until_ns - time.time_ns()) // SECOND_NS), 1)

    def is_html(self, exchange: str) -> bool:
        """Return whether this REST call is answered with a page."""
        return self._counted("malformed", exchange, "html") is not None

    def slow_s(self, exchange: str) -> float:
        """Return the seconds that this snapshot takes."""
        one = self._counted("slow_snapshot", exchange)
        return 0.0 if one is None else one.fault.for_ns / SECOND_NS

    def _counted(self, kind: str, exchange: str, way: str = "") -> _Active | None:
        one = self._on(kind, exchange, way)
        if one is not None:
            one.left -= 1
        return one

    @contextmanager
    def older(self, exchange: str) -> Iterator[None]:
        """Let the books be, for one answer, as they were when the fault began."""
        left, books = self._old.get(exchange, (0, {}))
        now = {market: market.copy_of_book() for market in books} if left else {}
        for market in now:
            market.take_book(books[market])
        try:
            yield
        finally:
            for market, book in now.items():
                market.take_book(book)
            if left == 1:
                del self._old[exchange]
            elif left:
                self._old[exchange] = left - 1, books
