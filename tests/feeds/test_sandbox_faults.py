"""The sandbox's faults: each changes what is sent, or how calls are answered, in the way that it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from tests.feeds.served import listening, run, texts
from tradectl.errors import ConfigError
from tradectl.exchanges.sandbox import Fault, Sandbox

SPOT = "BTC/USDT"
SUBSCRIBE = {"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@depth@100ms"], "id": 7}


def chain(messages: list[str]) -> list[tuple[int, int]]:
    """Return U and u of the whole messages of depth."""
    return [
        (m["U"], m["u"])
        for text in messages
        if text.endswith("}") and (m := json.loads(text)).get("e") == "depthUpdate"
    ]


def breaks(messages: list[str]) -> int:
    ids = chain(messages)
    return sum(b[0] != a[1] + 1 for a, b in pairwise(ids))


def not_json(messages: list[str]) -> int:
    return sum(not text.endswith("}") for text in messages)


SHAPING: list[tuple[str, Callable[[list[str], list[str]], bool]]] = [
    # fault, what then holds of the messages that came, and of those that would have come
    ("gap:3", lambda came, whole: len(came) == len(whole) - 3),
    ("gap:4:depth", lambda came, whole: breaks(whole) == 0 and len(chain(came)) == len(chain(whole)) - 4),
    ("gap:4:trades", lambda came, whole: chain(came) == chain(whole) and len(came) == len(whole) - 4),
    ("duplicate:5", lambda came, whole: len(came) == len(whole) + 5 and set(came) == set(whole)),
    ("reorder:6:depth", lambda came, whole: breaks(came) > 0 and sorted(came) == sorted(whole)),
    ("malformed:2", lambda came, whole: not_json(came) == 2 and len(came) == len(whole)),
    ("malformed:2:nan", lambda came, whole: sum("NaN" in text for text in came) == 2),
    ("burst:50", lambda came, whole: came == whole),
    ("burst:10000", lambda came, whole: came == []),
    ("stale:60s", lambda came, whole: came == []),
]


@pytest.mark.parametrize(("fault", "holds"), SHAPING, ids=[row[0] for row in SHAPING])
def test_a_fault_shapes_what_is_sent(fault: str, holds: Callable[[list[str], list[str]], bool]) -> None:
    async def test() -> None:
        async with (
            Sandbox(["binance"], [SPOT], paused=True) as server,
            listening(server, "binance", SUBSCRIBE) as socket,
            aiohttp.ClientSession() as session,
        ):
            server.advance(20)
            assert json.loads((await texts(socket))[0]) == {"result": None, "id": 7}
            whole: list[str] = []
            outlet = server.venues["binance"].outlet
            told = outlet.send
            outlet.send = lambda topic, kind, text: (whole.append(text), told(topic, kind, text))[1]  # type: ignore[method-assign]
            answer = await session.post(f"{server.endpoint}/sandbox/fault", data=fault)
            assert answer.status == 200
            server.advance(300)
            assert holds(await texts(socket), whole)
            assert server.state()["faults"]["count"] == 1

    run(test)


def test_connections_end_and_none_is_taken_for_a_while() -> None:
    async def test() -> None:
        async with Sandbox(["binance"], [SPOT]) as server:
            async with listening(server, "binance", SUBSCRIBE) as socket:
                server.fault("drop")
                for _ in range(50):
                    message = await socket.receive(5)
                    if message.type != aiohttp.WSMsgType.TEXT:
                        break
                assert socket.closed or message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            server.fault("refuse:400ms")
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with listening(server, "binance"):
                    pass
            await asyncio.sleep(0.5)
            async with listening(server, "binance", SUBSCRIBE) as socket:
                assert await texts(socket, 0.05)

    run(test)


def test_rest_is_late_old_refused_or_a_page() -> None:
    async def test() -> None:
        async with (
            Sandbox(["binance"], [SPOT], paused=True) as server,
            aiohttp.ClientSession(server.endpoint) as session,
        ):
            depth = "/api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5"

            async def snapshot() -> Any:
                return await (await session.get(depth)).json()

            before = await snapshot()
            server.fault("old_snapshot:2")
            server.advance(200)
            assert [await snapshot(), await snapshot()] == [before, before]
            assert (await snapshot())["lastUpdateId"] == server.truth("binance", SPOT)["update_id"]
            server.fault("limit:1s")
            refused = await session.get(depth)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
            await asyncio.sleep(1.1)
            server.fault("malformed:html")
            assert (await session.get(depth)).content_type == "text/html"
            server.fault("slow_snapshot:300ms")
            begun = asyncio.get_running_loop().time()
            await snapshot()
            assert asyncio.get_running_loop().time() - begun >= 0.3

    run(test)


def test_a_wrong_checksum_is_one_message() -> None:
    async def test() -> None:
        wanted = {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"]}}
        async with (
            Sandbox(["kraken"], ["BTC/USD"], paused=True) as server,
            listening(server, "kraken", wanted) as socket,
        ):
            await texts(socket)
            server.fault("checksum")
            kept: list[str] = []
            deliver = server.venues["kraken"].outlet.send
            server.venues["kraken"].outlet.send = lambda *m: (kept.append(m[2]), deliver(*m))[1]  # type: ignore[method-assign]
            server.advance(200)
            came = [text for text in await texts(socket) if '"book"' in text]
            assert [a == b for a, b in zip(came, kept, strict=True)].count(False) == 1

    run(test)


def test_faults_are_planned_by_time_and_by_chance() -> None:
    async def test() -> None:
        plan = [Fault.parse(text) for text in ("duplicate@100ms+200ms", "any@~100ms:kraken", "drop@1h")]
        async with Sandbox(["kraken", "binance"], ["BTC/USDT"], faults=plan) as server:
            await asyncio.sleep(1.0)
            done = server.state()["faults"]
            assert done["kinds"]["duplicate"] >= 4
            assert done["count"] >= 6

    run(test)


WRONG = [
    ("drp", "did you mean 'drop'"),
    ("gap:depht", "did you mean 'depth'"),
    ("gap@soon", "is no time"),
    ("stale:5", "means nothing here"),
    ("drop:kraken", "has no kraken"),
    ("checksum", "none of these exchanges sends checksums"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_wrong_fault_is_refused_with_what_is_valid(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        Sandbox(["binance"], faults=[Fault.parse(text)])
    assert told in str(error.value)
