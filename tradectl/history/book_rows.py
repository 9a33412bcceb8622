"""The rows that every importer of book data yields: one Polars schema for trades, quotes, depth and orders.

| kind (`EventKind`) | side | price, qty | price2, qty2 | id |
|---|---|---|---|---|
| TRADE | the aggressor's (0: unknown) | of the trade | – | trade id |
| QUOTE | 0 | best bid (qty 0: no bid) | best ask (qty 0: no ask) | update id |
| DEPTH | of the level | the level and its new quantity (0 removes it) | – | update id |
| ORDER_ADD | of the order | as entered | – | order id |
| ORDER_MODIFY | of the order | its new price and new open quantity | – | order id |
| ORDER_CANCEL | of the order | its price and the quantity taken away (0: all) | – | order id |
| ORDER_EXEC | of the resting order | the execution | – | order id |
| MARK, FUNDING | 0 | mark price; the rate | – | – |
| GAP, CLEAR | 0 | – (what follows is not connected; the book is empty) | – | – |
| STATUS | 0 | – | – | `MarketStatus` |

Flags are `EventFlag`: MESSAGE_END on the last row of every message of the venue; a snapshot's first row has
SNAPSHOT_BEGIN (the book is emptied before it), its last one SNAPSHOT_END. Stamps are ns UTC; `ts_recv` is
`ts_event` where the source has no receive clock. Rows come in the order in which they were received.
"""

from __future__ import annotations

import polars as pl

__all__ = ["BOOK_ROWS"]

BOOK_ROWS: dict[str, pl.DataType] = {
    "ts_event": pl.Int64(),
    "ts_recv": pl.Int64(),
    "kind": pl.UInt8(),
    "side": pl.Int8(),
    "flags": pl.UInt16(),
    "price": pl.Float64(),
    "qty": pl.Float64(),
    "price2": pl.Float64(),
    "qty2": pl.Float64(),
    "id": pl.Int64(),
}
