"""One REST call through ccxt: throttled by it, repeated by us, and its errors as `FeedError`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tradectl.errors import FeedError

__all__ = ["LIMITED_S", "PATIENT", "QUICK", "Patience", "call", "host_of", "is_limit"]

LIMITED_S = 2.0  # waited at least for a venue that says "too many" and not for how long: the window of okx's limits
TOO_MANY = (418, 429)  # HTTP status; 418 is binance's for those who went on
T = TypeVar("T")
Told = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """How often a call is made, and how long is waited in between (s): doubled each time, or as the venue says."""

    attempts: int
    first_s: float = 0.5
    longest_s: float = 30.0
    asked_s: float = 300.0  # a venue that asks for more (a ban) ends the call


PATIENT = Patience(8)  # history: outlives an outage of a minute
QUICK = Patience(3)  # what a user waits for


async def call(
    exchange: Any, work: Callable[[], Awaitable[T]], patience: Patience = PATIENT, told: Told | None = None
) -> T:
    """Return what `work` returns; FeedError, naming the host, when the venue refuses or stays unreachable.

    Repeated are time-outs, lost connections, answers 429 and 5xx, and answers that are not JSON; `told` hears
    of each wait.
    """
    from ccxt.base.errors import BaseError, OperationFailed

    _read_strictly(exchange)
    wait_s = patience.first_s
    for attempt in range(1, patience.attempts + 1):
        exchange.last_response_headers = None
        try:
            return await work()
        except OperationFailed as error:
            asked_s = _retry_after(exchange)
            if attempt == patience.attempts or asked_s > patience.asked_s:
                hint = f"it asks to wait {asked_s:,.0f} s" if asked_s else f"tried {attempt} times"
                raise FeedError(f"{exchange.id}: {host_of(exchange)}: {_said(exchange, error)}", hint=hint) from error
            pause_s = max(asked_s or (LIMITED_S if is_limit(error) else 0.0), wait_s)
            if told is not None:
                told(f"{exchange.id}: {_said(exchange, error)}; again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            wait_s = min(wait_s * 2, patience.longest_s)
        except BaseError as error:
            raise FeedError(f"{exchange.id}: {host_of(exchange)} refused: {_said(exchange, error)}") from error
    raise FeedError(f"{exchange.id}: no attempt was allowed")


def is_limit(error: BaseException) -> bool:
    """Say whether an error is a venue's word that there were too many requests, or connections."""
    from ccxt.base.errors import DDoSProtection, RateLimitExceeded

    refused = error.args[0] if error.args else None  # the answer to a WebSocket's handshake
    return isinstance(error, (DDoSProtection, RateLimitExceeded)) or getattr(refused, "status", 0) in TOO_MANY


def host_of(exchange: Any) -> str:
    """Return the host (and port) of the last REST call."""
    return urlsplit(str(exchange.last_request_url or "")).netloc or "its host"


def _read_strictly(exchange: Any) -> None:
    """Make what ccxt reads otherwise the error that it is.

    An answer that is no whole JSON: to ccxt a web page holds nothing. And a 429 with a body that the venue's class
    does not know: to some of them, okx's among them, that is a refusal for good.
    """
    from ccxt.base.errors import BadResponse, RateLimitExceeded

    if exchange.options.get("readsStrictly"):
        return
    exchange.options["readsStrictly"] = True
    original, judge = exchange.on_rest_response, exchange.handle_errors

    def checked(code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any) -> Any:
        text = body.strip()
        if code < 400 and text[:1] + text[-1:] not in ("{}", "[]"):
            raise BadResponse(f"{url.partition('?')[0]} answered {text[:40]!r}, not JSON")
        return original(code, reason, url, method, headers, body, *rest)

    def judged(code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any) -> Any:
        if code in TOO_MANY:
            raise RateLimitExceeded(f"{code} {reason} {body}")
        return judge(code, reason, url, method, headers, body, *rest)

    exchange.on_rest_response, exchange.handle_errors = checked, judged


def _retry_after(exchange: Any) -> float:
    """Return for how long (s) the venue's last answer asks to wait; 0: it does not say."""
    for name, value in (exchange.last_response_headers or {}).items():
        if name.lower() == "retry-after":
            try:
                return max(float(value), 0.0)
            except ValueError:  # a date: the back-off serves
                return 0.0
    return 0.0


def _said(exchange: Any, error: BaseException) -> str:
    """Return an error's text on one line, no longer than is read, without the exchange, which its messages name."""
    text = " ".join(str(error).split()).removeprefix(f"{exchange.id} ") or type(error).__name__
    cause = error.__cause__
    text += f" ({' '.join(str(cause).split())})" if cause is not None and str(cause) not in text else ""
    return text if len(text) <= 240 else f"{text[:240]}…"
