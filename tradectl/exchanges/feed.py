"""The live feed of one exchange: a task for each channel that keeps it subscribed, and what its connections tell."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from tradectl.exchanges.backfill import traded_between
from tradectl.exchanges.backoff import Desk
from tradectl.exchanges.capability import Watch, watches
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import VenueDecoder
from tradectl.exchanges.event_rows import MS
from tradectl.exchanges.inbox import CALL
from tradectl.exchanges.model import (
    Channel,
    ChannelHealth,
    FeedMarket,
    FeedNote,
    GapReason,
    Malformed,
    Need,
    Position,
)
from tradectl.exchanges.needs import Needs
from tradectl.exchanges.rest_call import LIMITED_S, QUICK, call, is_limit
from tradectl.exchanges.tap import WATCHING, Link, attach, hang_up, is_refusal

__all__ = ["Feed", "Subscription"]

KEEP_ALIVE_MS = 10_000  # a ping at least so often
SUBSCRIBE_COST = {"kraken": 0.2}  # of ccxt's throttle, which would send one subscription a second
PAUSE_S = 0.05  # between two watches that ended well: an own decoder needs only one that is pending
ON_ITS_WAY_NS = 2_000_000_000  # a younger trade may still come
HEARD_NS = 2_000_000_000  # what came is counted so late at most
FUNDING_NS = 120_000_000_000  # venues send funding rates about once a minute
SECOND_NS = 1_000_000_000
MOST_TEXT = 240  # characters of an error that a note keeps


class Subscription:
    """One channel of one market."""

    def __init__(self, market: FeedMarket, channel: Channel, desk: Desk) -> None:
        self.market = market
        self.channel = channel
        self.backoff = desk.backoff()
        self.health = ChannelHealth(market, channel)
        self.link: Link | None = None
        self.opened_ns = 0  # when it was last subscribed
        self.renewed_ns = 0  # when that was anew, on the connection there is; 0: it was not
        self.renewing = False
        self.quiet_ns = 0  # until when its silence was found to be the market's
        self.position = Position()  # its last trade that was taken
        self.epoch = 0  # of the messages that are being decoded
        self.refused = False  # by the venue, on this connection; it may have meant another channel
        self.broken = False  # its gap is told, until it is connected anew
        self.whole = channel != Channel.DEPTH  # its book is the venue's

    def is_dead(self) -> bool:
        """Say whether the venue refused it and sent nothing since."""
        return self.refused and self.health.last_recv_ns < self.opened_ns

    def told(self) -> ChannelHealth:
        """Return its health, the state up to date."""
        if self.is_dead():
            self.health.state = "down"
        elif self.health.state in ("live", "syncing"):
            self.health.state = "live" if self.whole else "syncing"
        return self.health


class Feed:
    """One exchange's channels; hears its taps, serves its decoder, and puts everything into the inbox."""

    renews = True  # a channel can be subscribed anew past ccxt, which keeps no book of it

    def __init__(
        self, exchange: Any, markets: Sequence[FeedMarket], decoder: VenueDecoder, desk: Desk
    ) -> None:
        self.exchange = exchange
        self.markets = list(markets)
        self.decoder = decoder
        self.desk = desk
        self.shedding = False
        self.closing = False  # by us: its connections end, nothing is lost
        self._again_ns: dict[str, int] = {}  # by address: when those that shared a connection may dial anew
        self._limited_ns = 0  # until when the venue wants no new connection or subscription
        self.subscriptions = [
            Subscription(market, channel, desk) for market in markets for channel in sorted(market.channels)
        ]
        self.classify = decoder.classify
        self._needs = Needs(exchange, self, decoder, desk, self._resubscribe)
        self._tasks: list[asyncio.Task[None]] = []
        self._now_ns, self._put = desk.clock.now_ns, desk.inbox.put
        exchange.streaming["keepAlive"] = min(
            exchange.streaming.get("keepAlive") or KEEP_ALIVE_MS, KEEP_ALIVE_MS
        )
        ws = exchange.options.setdefault("ws", {})
        ws["cost"] = SUBSCRIBE_COST.get(exchange.id, ws.get("cost", 1))
        self._subscribing_ns = int(ws["cost"] * exchange.rateLimit * MS)  # for each channel of a connection
        exchange.ws_dial_delay = lambda url: 0  # ours waits, and ends when it is told to
        self.prepare()
        self.links = attach(exchange, self)

    def prepare(self) -> None:
        """Set ccxt up for what reads its messages."""
        if hasattr(self.exchange, "fetch_order_book_snapshot"):
            self.exchange.fetch_order_book_snapshot = _not_wanted  # the decoder asks for its own

    # --- tasks

    def start(self) -> None:
        """Subscribe to everything."""
        for one in self.subscriptions:
            for news in watches(self.exchange, one.market, one.channel):
                self._tasks.append(asyncio.create_task(self._keep(one, news)))

    async def _keep(self, one: Subscription, news: Watch) -> None:
        """Keep one watch of a channel pending; when it raises, make sure its connection ends, wait, and go on."""
        WATCHING.set(one)
        while True:
            try:
                pause_s = self.took(one, await news())
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                pause_s = self._failed(one, ConnectionError("the connection was closed"))
            except Exception as error:  # told; whatever it was, the channel is subscribed anew
                if one.link is not None and self._is_refused(one, one.link, error):
                    await one.link.over.wait()
                pause_s = self._failed(one, error)
            while pause_s > 0:
                await asyncio.sleep(pause_s)
                pause_s = self._hold_s(one)  # another may have dialled meanwhile, and failed

    def took(self, one: Subscription, news: Any) -> float:
        """Hear what a watch returned; an own decoder has no use for it. Returns how long (s) to wait."""
        return PAUSE_S

    def _is_refused(self, one: Subscription, link: Link, error: Exception) -> bool:
        """Say whether a venue refuses a channel on a connection that serves others, which then goes on without it."""
        if not is_refusal(error) or link.lost or len(link.members) == 1:
            return False
        text = str(error)[:MOST_TEXT]
        if link.refusal != text:  # all hear it, for it does not say whom it means
            link.refusal = text
            self.desk.note(FeedNote(self._now_ns(), self.exchange.id, "refused", text=text))
        one.refused = True
        return True

    def _failed(self, one: Subscription, error: Exception) -> float:
        """End a channel's connection if that has not happened; return how long (s) to wait."""
        link, now_ns = one.link, self._now_ns()
        if link is not None:
            link.end(error)
            one.backoff.held(now_ns - one.opened_ns if link.opened else 0)
        if one.health.state != "down":
            one.health.state = "down"
            self._note(one, "lost", error)
        wait_s = one.backoff.wait_s()
        if link is not None and self._again_ns.get(link.client.url, 0) <= now_ns:
            self._again_ns = {url: ns for url, ns in self._again_ns.items() if ns > now_ns}
            self._again_ns[link.client.url] = now_ns + int(wait_s * SECOND_NS)
        limit_s = _limit_s(link, error)
        if limit_s and self._limited_ns <= now_ns:
            self._limited_ns = now_ns + int(limit_s * SECOND_NS)
            self._note(one, "limited", f"{error}; again in {limit_s:g} s")
        return self._hold_s(one) or wait_s

    def _hold_s(self, one: Subscription) -> float:
        """Return how long (s) a channel has yet to wait.

        All that shared a connection wait for the same moment: one dials for them, where each by itself would dial
        too often.
        """
        again_ns = 0 if one.link is None else self._again_ns.get(one.link.client.url, 0)
        return max(max(again_ns, self._limited_ns) - self._now_ns(), 0) / SECOND_NS

    def tick(self) -> None:
        """Once a second: look for silent channels, let the decoder's time pass."""
        now_ns = self._now_ns()
        self._tasks = [task for task in self._tasks if not task.done()]
        self.desk.inbox.relieve(self)
        self._put(now_ns, self, CALL, self._pass_time)
        for one in self.subscriptions:
            if one.link is not None and one.link.opened and not one.link.lost and self._silent(one, now_ns):
                since_ns = self._heard_ns(one, one.link)
                if one.channel == Channel.TRADES and self.exchange.has.get("fetchTrades"):
                    one.quiet_ns = now_ns
                    self._tasks.append(asyncio.create_task(self._ask_whether_quiet(one, since_ns, now_ns)))
                else:
                    self._stale(one, since_ns, f"silent for {self.desk.settings.stale_ns / 1e9:g} s")

    async def _ask_whether_quiet(self, one: Subscription, since_ns: int, now_ns: int) -> None:
        """Give up a connection without trades only if there were some: most markets have quiet hours."""
        after_ns = one.position.trade_ns or one.opened_ns
        fetch = partial(traded_between, self.exchange, one.market, after_ns, now_ns - ON_ITS_WAY_NS)
        why = f"silent for {self.desk.settings.stale_ns / 1e9:g} s, in which there were trades"
        try:
            traded = await call(self.exchange, fetch, QUICK)
        except Exception as error:  # told; without an answer the silence counts
            why = f"silent, and its last trades cannot be had: {error}"
            traded = True
        if traded and one.link is not None and not one.link.lost:
            self._stale(one, since_ns, why)

    def _silent(self, one: Subscription, now_ns: int) -> bool:
        """Say whether a channel has been silent for too long; its own messages count where it shares a connection."""
        link = one.link
        items = self.desk.inbox.items
        if link is None or (items and now_ns - items[0][0] > 1_000_000_000):
            return False  # what it sent may still wait
        if one.renewing or one.is_dead() or (one.channel == Channel.TRADES and self._needs.awaits_trades(one.market)):
            return False  # a new connection would be refused again; what is held is not silent
        subscribed_ns = one.opened_ns + len(link.members) * self._subscribing_ns
        limit_ns = self.desk.settings.stale_ns
        if one.channel == Channel.FUNDING:
            limit_ns = max(limit_ns, FUNDING_NS)
        return now_ns - max(subscribed_ns, self._heard_ns(one, link)) > limit_ns

    def _heard_ns(self, one: Subscription, link: Link) -> int:
        """Return until when a channel was heard, or its silence was found to be the market's."""
        heard_ns = max(one.opened_ns, one.quiet_ns, one.health.last_recv_ns)
        of_link = len(link.members) == 1 or one.channel == Channel.OHLCV
        return max(heard_ns, link.heard_ns) if of_link else heard_ns

    def _stale(self, one: Subscription, since_ns: int, why: str) -> None:
        """Give up a subscription that was heard last at `since_ns`; it is made anew."""
        self._note(one, "stale", why, since_ns)
        one.health.state = "stale"
        self._break(one, GapReason.STALE, self._now_ns())
        self._renew(one, f"{one.channel.name.lower()} of {one.market.symbol} went silent")

    def _resubscribe(self, need: Need) -> None:
        """Subscribe a channel anew whose book the venue has to send."""
        for one in self.subscriptions:
            if one.market is need.market and one.channel == need.channel and one.epoch == one.health.epoch:
                one.broken = True  # were the epochs not the same, a newer connection would bring the book
                self._renew(one, f"{one.market.symbol} is subscribed anew: its book is not whole")

    def _renew(self, one: Subscription, why: str) -> None:
        """Subscribe a channel anew: on its connection where that serves others that are well, else on a new one."""
        link, now_ns = one.link, self._now_ns()
        if link is None or link.lost or one.renewing:
            return
        in_vain = now_ns - HEARD_NS > one.renewed_ns > one.health.last_recv_ns
        silent = now_ns - max(link.heard_ns, one.opened_ns) > self.desk.settings.stale_ns
        if not self.renews or len(link.members) == 1 or in_vain or silent or not link.asked.get(one):
            link.end(ConnectionError(why))
            return
        one.renewing = True
        self._tasks.append(asyncio.create_task(self._renewed(one, link)))

    async def _renewed(self, one: Subscription, link: Link) -> None:
        one.backoff.held(self._now_ns() - one.opened_ns)
        await asyncio.sleep(one.backoff.wait_s())

        def between() -> None:
            one.opened_ns = one.renewed_ns = self._now_ns()
            one.broken, one.health.state = False, "live"
            self._put(one.opened_ns, self, CALL, lambda *_: self.decoder.renewed(one.market, one.channel))
            self._note(one, "connected", "subscribed anew")

        if not link.lost:
            await link.renew(one, self.exchange.options["ws"]["cost"], between)
        one.renewing = False

    # --- what the tap tells

    def heard(self, link: Link, channel: Channel, text: str) -> None:
        """Take a message of market data."""
        link.heard_ns = now_ns = self._now_ns()
        self._put(now_ns, self, channel, text)

    def handled(self, link: Link) -> None:
        """Hear of a message that was ccxt's: an answer, a pong."""

    def joined(self, link: Link, member: Any) -> None:
        """Hear that a channel is on an open connection."""
        one: Subscription = member
        one.link, one.opened_ns = link, self._now_ns()
        one.broken = one.refused = False
        one.renewed_ns = 0
        one.health.epoch += 1
        one.health.state = "live"
        self._put(one.opened_ns, self, CALL, partial(self._connected, one, one.health.epoch))
        self._note(one, "connected", f"connection {one.health.epoch}")

    def lost(self, link: Link, error: Exception | None) -> None:
        """Hear that a connection ended: what went over it is broken from here on, unless we close it."""
        if self.closing:
            return
        now_ns = self._now_ns()
        for one in link.members:
            if one.link is not link:  # it never opened
                one.link = one.link if one.link is not None and not one.link.lost else link
                continue
            self._break(one, GapReason.CONNECTION, now_ns)
            if one.health.state != "stale":
                one.health.state = "down"
                self._note(one, "lost", error or "closed by the venue")

    def _break(self, one: Subscription, reason: GapReason, now_ns: int) -> None:
        """Put the break of a channel into its place, once for each connection."""
        if not one.broken:
            one.broken = True
            self._put(now_ns, self, CALL, partial(self._broken, one, reason))

    # --- what the consumer does, in the order of the inbox

    def _connected(self, one: Subscription, epoch: int, recv_ns: int, out: EventBuffer) -> None:
        one.epoch = epoch
        self.decoder.connected(one.market, one.channel)
        if one.channel == Channel.OHLCV:
            self._needs.bars(one.market)

    def _broken(self, one: Subscription, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        self.decoder.broken(one.market, one.channel, reason, recv_ns, out)

    def _pass_time(self, recv_ns: int, out: EventBuffer) -> None:
        self.decoder.tick(recv_ns, out)

    def malformed(self, channel: int, payload: Any, error: Exception, recv_ns: int, out: EventBuffer) -> None:
        """Break the channels that a message which cannot be read may have been of."""
        text = f"{error if isinstance(error, Malformed) else repr(error)}: {payload}"
        of_channel = [one for one in self.subscriptions if one.channel == channel]
        named = [
            one for one in of_channel if one.market.raw_id in text or one.market.symbol in text
        ] or of_channel
        for one in named:
            self._note(one, "malformed", text)
            self.decoder.broken(one.market, one.channel, GapReason.MALFORMED, recv_ns, out)
        if not named:
            self.desk.note(FeedNote(recv_ns, self.exchange.id, "malformed", text=text[:MOST_TEXT]))

    def serve(self) -> None:
        """Fetch what the decoder needs."""
        if not self.closing:
            self._needs.take()

    # --- overload

    def shed(self, recv_ns: int, out: EventBuffer) -> None:
        """Break the books, in the place of the first message that was left out."""
        for one in self.subscriptions:
            if one.channel == Channel.DEPTH:
                self._note(one, "overload", "depth is left out: messages come faster than they are applied")
                self.decoder.broken(one.market, one.channel, GapReason.OVERLOAD, recv_ns, out)

    def relieved(self) -> None:
        """Take depth again: now the books are asked for."""
        self._needs.release()

    def dropped(self) -> None:
        """Count a depth message that was left out, with the first market that has depth if there are several."""
        for one in self.subscriptions:
            if one.channel == Channel.DEPTH:
                one.health.dropped += 1
                return

    # --- the end

    async def close(self) -> None:
        """End all tasks and connections; nothing is left pending. What was received may still be taken."""
        self.closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._needs.close()
        await hang_up(self.links)
        self.exchange.timeout_on_exit = 0
        await self.exchange.close()
        for one in self.subscriptions:
            if one.told().state in ("live", "syncing"):  # any other tells how it was at the end
                one.health.state = "closed"

    def _note(self, one: Subscription, what: str, text: object, at_ns: int | None = None) -> None:
        line = " ".join(str(text).split())[:MOST_TEXT]
        channel, at_ns = one.channel.name.lower(), self._now_ns() if at_ns is None else at_ns
        self.desk.note(FeedNote(at_ns, self.exchange.id, what, one.market.symbol, channel, line))


def _limit_s(link: Link | None, error: Exception) -> float:
    """Return for how long (s) a venue wants no new connection, LIMITED_S where it does not say; 0: it is no limit."""
    asked_s = 0.0 if link is None else getattr(link.client, "last_retry_after", None)
    return float(asked_s or (LIMITED_S if is_limit(error) else 0.0))


async def _not_wanted(*_: Any) -> None:
    """Leave ccxt's own book alone."""
