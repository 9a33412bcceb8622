"""Tables of funding rates: a time, a rate and maybe a symbol; one row a settlement, not one a quote of the rate.

Venues write settlements some milliseconds late, so stamps are rounded to whole seconds. Setting: `symbol`: the
instrument that the rates are of, where the file names another one or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import stamps
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece, book_frame
from tradectl.history.importers.generic import SYNONYMS, form_of
from tradectl.history.importers.table import Table, number_column, open_table

__all__ = ["IMPORTER", "read"]

SECOND = 1_000_000_000  # ns
END, FUNDING = int(EventFlag.MESSAGE_END), int(EventKind.FUNDING)
RATES = ("funding_rate", "funding rate", "fundingrate", "last_funding_rate", "realized_rate", "rate")
NAMES = {"timestamp": (*SYNONYMS["timestamp"], "funding_time", "fundingtime", "calc_time"), "rate": RATES}


def _locate(table: Table, options: Options) -> dict[str, int]:
    """Return the indexes of timestamp, rate and (if there) symbol; DataError names what is missing."""
    found: dict[str, int] = {}
    for name, usual in (*NAMES.items(), ("symbol", SYNONYMS["symbol"])):
        key = "price" if name == "rate" else name
        wanted = options.mapping.get(key)
        at = table.at((str(wanted).strip().lower(),) if wanted else usual)
        if at is not None:
            found[name] = at
        elif wanted or name != "symbol":
            missing = f"column {wanted!r} for {key} is not in the header" if wanted else f"no column for {name}"
            raise DataError(
                f"{table.place}: {missing} of funding",
                hint=f"{nearest(str(wanted or name), table.header)}; give data.mapping: {{{key}: <column>}}",
            )
    return found


def _rows(frame: pl.DataFrame, rates: pl.Series, settled: pl.Series) -> pl.DataFrame:
    """Return canonical rows, with `row` and `symbol`."""
    columns: dict[str, Any] = {
        "ts_event": (settled + SECOND // 2) // SECOND * SECOND,
        "kind": np.full(frame.height, FUNDING, np.uint8),
        "side": np.zeros(frame.height, np.int8),
        "price": rates, "qty": np.zeros(frame.height), "row": frame["row"],
    }  # fmt: skip
    symbol = frame["symbol"] if "symbol" in frame.columns else pl.Series([""]).new_from_index(0, frame.height)
    return book_frame(columns, flags=END).with_columns(symbol.cast(pl.String).fill_null("").alias("symbol"))


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the settlements of tables."""
    options.only("symbol")
    if options.kind not in ("funding", "book"):
        raise ConfigError(f"data.kind: {options.kind} is not in a table of funding rates", hint="set kind: funding")
    for place in places:
        options.place = place
        table = open_table(place, options.mapping.get("header"), tuple(NAMES))
        at = _locate(table, options)
        head = table.head(at)
        if not head.height:
            raise DataError(f"{place}: no data row below the header")
        form = form_of(table, head["timestamp"], options)
        for frame in table.frames(at, ["rate"]):
            settled = stamps.to_ns(frame["timestamp"], form)
            rates, _ = number_column(frame, "rate", "rate", options)
            for k in settled.is_null().arg_true().to_list():
                options.bad(int(frame["row"][k]), "timestamp", str(frame["timestamp"][k]), "a time stamp")
            made = _rows(frame, rates, settled).filter(settled.is_not_null() & rates.is_not_null())
            for (symbol,), part in made.partition_by("symbol", as_dict=True, maintain_order=True).items():
                yield str(options.extra.get("symbol") or symbol), part.drop("symbol")


IMPORTER = Importer("funding", read, "Tables of funding rates: time, rate, symbol")
