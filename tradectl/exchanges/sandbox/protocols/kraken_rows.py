"""What Kraken's messages of WebSocket v2 are made of: numbers with all their digits, not text."""

from __future__ import annotations

from collections.abc import Sequence

from tradectl.exchanges.sandbox.candles import MINUTE_NS, Candle
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Level, Trade
from tradectl.exchanges.sandbox.protocols.base import Named, utc_text
from tradectl.history.importers.checksum import KRAKEN_LEVELS, kraken_checksum

__all__ = ["book_text", "candles_text", "decimals", "mean_price", "ticker_text", "trades_text"]


def decimals(step: str) -> int:
    """Return how many decimals a step has."""
    return len(step.partition(".")[2])


def mean_price(row: Candle) -> int:
    """Return a candle's mean price, in ticks."""
    return row.turnover // row.lots if row.lots else row.close


def book_text(named: Named, kind: str, levels: Sequence[Level]) -> str:
    """Return a message of the book: levels as numbers with all their digits, the checksum of the ten best."""
    price, qty, market = named.price, named.qty, named.market
    bids, asks = (
        ",".join([f'{{"price":{price(p)},"qty":{qty(n)}}}' for k, p, n in levels if k == side])
        for side in (BIDS, ASKS)
    )
    best = [[(price(p), qty(n)) for p, n in market.best(side, KRAKEN_LEVELS)] for side in (BIDS, ASKS)]
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{named.listing.symbol}","bids":[{bids}],"asks":[{asks}],'
        f'"checksum":{kraken_checksum(*best)},"timestamp":"{utc_text(market.depth_stamp, 6)}"}}]}}'
    )


def trades_text(named: Named, kind: str, rows: Sequence[Trade]) -> str:
    """Return a message of trades."""
    made = ",".join(
        f'{{"symbol":"{named.listing.symbol}","side":"{"buy" if t.side > 0 else "sell"}",'
        f'"price":{named.price(t.price)},"qty":{named.qty(t.lots)},"ord_type":"market",'
        f'"trade_id":{t.id},"timestamp":"{utc_text(t.ts, 6)}"}}'
        for t in rows
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{made}]}}'


def ticker_text(named: Named, kind: str, now: int) -> str:
    """Return a message of the touch and the last price."""
    market = named.market
    (bid, bid_qty), (ask, ask_qty) = (
        (market.best(side, 1) or [(market.last_price, 0)])[0] for side in (BIDS, ASKS)
    )
    last = named.price(market.last_price)
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{named.listing.symbol}","bid":{named.price(bid)},'
        f'"bid_qty":{named.qty(bid_qty)},"ask":{named.price(ask)},"ask_qty":{named.qty(ask_qty)},"last":{last},'
        f'"volume":0,"vwap":{last},"low":{last},"high":{last},"change":0,"change_pct":0,'
        f'"timestamp":"{utc_text(now, 6)}"}}]}}'
    )


def candles_text(named: Named, kind: str, rows: Sequence[Candle], step: int, now: int) -> str:
    """Return a message of candles."""
    made = ",".join(
        f'{{"symbol":"{named.listing.symbol}","open":{named.price(row.open)},"high":{named.price(row.high)},'
        f'"low":{named.price(row.low)},"close":{named.price(row.close)},"trades":{row.trades},"volume":{named.qty(row.lots)},'
        f'"vwap":{named.price(mean_price(row))},"interval_begin":"{utc_text(row.start)}",'
        f'"interval":{step // MINUTE_NS},"timestamp":"{utc_text(row.start + step, 6)}"}}'
        for row in rows
    )
    return f'{{"channel":"ohlc","type":"{kind}","timestamp":"{utc_text(now)}","data":[{made}]}}'
