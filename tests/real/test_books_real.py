"""Books rebuilt from vendors' recordings equal what the vendors themselves say of them."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.real.ladder_fold import MOST, fold_depth, fold_orders, read_rows
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.jit import DISABLE_JIT
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.errors import DataError
from tradectl.history.files import Place, TruncatedError
from tradectl.history.importers import IMPORTERS, Options
from tradectl.history.importers.lines import decode_lines
from tradectl.history.importers.recordings import KrakenDecoder, OkxDecoder
from tradectl.history.importers.rows import Sink

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")

BINANCE = {
    # recording: (files, tick, lot, equal update ids of bookTicker and depth); a few spot lots are finer than 1e-5
    "spot": (
        ("spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"),
        0.01,
        1e-8,
        1_072,
    ),  # a few quantities are off the lot of 1e-5
    "usdm_2023": (("usdm/btcusdt_20230404.dat.gz", "usdm/btcusdt_20230405.dat.gz"), 0.1, 0.001, 1_565),
    "usdm_2024": (("usdm/btcusdt_20240808.gz",), 0.1, 0.001, 629),
    "coinm_2024": (("cm/btcusd_perp_20240808.gz",), 0.1, 1.0, 1_124),
}


@pytest.mark.parametrize("name", BINANCE)
def test_binance_books_equal_book_ticker_at_equal_update_ids(name: str) -> None:
    files, tick, lot, want = BINANCE[name]
    rows = read_rows("binance_ws", [DATA / "binance_ws" / file for file in files], quotes="yes")
    assert len(rows) == 1
    made = fold_depth(next(iter(rows.values())), tick, lot)
    assert not (made.rows["kind"] == EventKind.GAP).any()
    ends = made.at_ends()
    kind = made.rows["kind"].to_numpy()
    depth = ends[kind[ends] == EventKind.DEPTH]
    at = dict(zip(made.rows["id"].to_numpy()[depth].tolist(), depth.tolist(), strict=True))
    compared = 0
    for row in made.rows.with_row_index().filter(pl.col("kind") == EventKind.QUOTE).iter_rows(named=True):
        place = at.get(row["id"])
        if place is None:
            continue
        compared += 1
        book = (made.bid[place], made.bid_lots[place], made.ask[place], made.ask_lots[place])
        shown = (row["price"] / tick, row["qty"] / lot, row["price2"] / tick, row["qty2"] / lot)
        assert [int(x) for x in book] == [round(x) for x in shown], row
    assert DISABLE_JIT or compared == want
    assert not len(made.crossed())


def test_binance_receive_clock_of_2024_is_behind_and_left_alone() -> None:
    rows = read_rows("binance_ws", [DATA / "binance_ws" / "usdm" / "btcusdt_20240808.gz"])["BTCUSDT"]
    lag = rows["ts_recv"].to_numpy() - rows["ts_event"].to_numpy()
    assert -1_280_000_000 < np.median(lag) < -1_260_000_000
    assert (np.diff(rows["ts_recv"].to_numpy()) >= 0).all()


def test_binance_without_a_snapshot_says_so() -> None:
    path = DATA / "binance_ws" / "usdm" / "btcusdt_20230405.dat.gz"
    with pytest.raises(DataError, match="BTCUSDT: depth messages, but no snapshot"):
        read_rows("binance_ws", [path])
    assert read_rows("binance_ws", [path], start="empty")["BTCUSDT"].height > 250_000


def test_binance_truncated_by_a_lost_line_has_a_gap(tmp_path: Path) -> None:
    with gzip.open(DATA / "binance_ws" / "spot" / "btcusdt_20240808.gz", "rb") as stream:
        lines = [next(stream) for _ in range(2_000)]
    depth = [k for k, line in enumerate(lines) if b"@depth@" in line]
    del lines[depth[40]]
    path = tmp_path / "btcusdt.txt"
    path.write_bytes(b"".join(lines))
    rows = read_rows("binance_ws", [path])["BTCUSDT"]
    gaps = rows.filter(pl.col("kind") == EventKind.GAP)
    assert gaps["row"].to_list() == [depth[41]]  # the line number after the lost one
    after = rows.filter(pl.col("row") > depth[41])
    assert set(after["kind"]) == {EventKind.TRADE}  # the book waits for a snapshot


@pytest.mark.parametrize(
    ("decoder", "files", "checksums"),
    [
        (KrakenDecoder, ["KRAKEN.ws.48.0", "KRAKEN.ws.50.0.gz"], 4_269),
        (OkxDecoder, ["OKX.ws.1.0.gz"], 290),
    ],
)
def test_recorded_checksums_agree(decoder: type, files: list[str], checksums: int) -> None:
    agreed = 0
    for file in files:
        sink = Sink()
        decoding = decoder(sink)
        places = [Place(DATA / "exchange_recordings" / file)]
        frames = list(decode_lines(places, Options(), sink, decoding.line))
        assert decoding.differed == 0
        agreed += decoding.agreed
        for symbol, frame in frames:
            if (frame["kind"] == EventKind.DEPTH).any():
                assert not len(fold_depth(frame, *steps(frame)).crossed()), symbol
    assert agreed == checksums


def steps(frame: pl.DataFrame) -> list[float]:
    """Return the powers of ten on which all prices and quantities lie."""
    columns = (frame["price"].to_numpy(), frame["qty"].to_numpy())
    return [next(10.0**-d for d in range(13) if (np.round(c, d) == c).all()) for c in columns]


def test_bybit_book_is_whole_and_never_crossed() -> None:
    rows = read_rows("bybit", [DATA / "bybit_ob500" / "xrpusdt-ob500.data.zip"])["XRPUSDT"]
    made = fold_depth(rows, 0.0001, 1.0)
    assert rows["row"].n_unique() == 50
    assert (rows["flags"] & EventFlag.SNAPSHOT_BEGIN != 0).sum() == 1
    assert not len(made.crossed())
    assert not (rows["kind"] == EventKind.GAP).any()


def test_hyperliquid_book_is_what_is_shown() -> None:
    path = DATA / "hyperliquid_ws" / "btcusd_20250126.gz"
    rows = read_rows("hyperliquid_ws", [path])["BTC"]
    made = fold_depth(rows, 1.0, 1e-5)
    last = dict(zip(rows["row"].to_list(), range(rows.height), strict=True))
    seen = None
    with gzip.open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            message = json.loads(line.split(b" ", 1)[1])
            if message["channel"] != "l2Book":
                continue
            shown = [(float(side[0]["px"]), float(side[0]["sz"])) for side in message["data"]["levels"]]
            if (place := last.get(number)) is None:
                assert shown == seen  # nothing changed, no row
                continue
            seen = shown
            assert (made.bid[place], made.bid_lots[place]) == (shown[0][0], round(shown[0][1] * 1e5))
            assert (made.ask[place], made.ask_lots[place]) == (shown[1][0], round(shown[1][1] * 1e5))


def lobster(folder: str, what: str) -> Path:
    return next((DATA / "lobster" / folder).glob(f"*_{what}_*"))


def shown_levels(path: Path) -> np.ndarray:
    return pl.read_csv(path, has_header=False).to_numpy()


@pytest.mark.parametrize("how", ["orders", "depth"])
@pytest.mark.parametrize("folder", ["AMZN_2012-06-21_5", "AMZN_2012-06-21_1", "AAPL_2012-06-21_1"])
def test_lobster_best_levels_equal_the_file(folder: str, how: str) -> None:
    rows = next(iter(read_rows("lobster", [lobster(folder, "message")], **{"as": how}).values()))
    made = fold_depth(rows, 0.0001, 1.0) if how == "depth" else fold_orders(rows, 0.0001, 1.0, exact=False)
    shown = shown_levels(lobster(folder, "orderbook"))
    after = np.searchsorted(made.rows["row"].to_numpy(), np.arange(1, len(shown) + 1), "right") - 1
    if len(rows) > MOST:
        shown = shown[: int(made.rows["row"][-1]) - 1]
        after = after[: len(shown)]
    ask, bid = shown[:, 1] > 0, shown[:, 3] > 0
    assert (np.where(ask, shown[:, 0], NO_ASK) == made.ask[after]).all()
    assert (np.where(ask, shown[:, 1], 0) == made.ask_lots[after]).all()
    assert (np.where(bid, shown[:, 2], NO_BID) == made.bid[after]).all()
    assert (np.where(bid, shown[:, 3], 0) == made.bid_lots[after]).all()
    assert not len(made.crossed())


def test_lobster_every_level_in_sight_equals_the_file() -> None:
    """All five levels of every row, for orders with corrections and for depth; each quantity traded once."""
    shown = shown_levels(lobster("AMZN_2012-06-21_5", "orderbook"))
    messages = shown_levels(lobster("AMZN_2012-06-21_5", "message"))
    traded = messages[np.isin(messages[:, 1], (4, 5, 6)), 3].sum()
    for how in ("orders", "depth"):
        rows = read_rows("lobster", [lobster("AMZN_2012-06-21_5", "message")], **{"as": how})["AMZN"]
        told = rows.filter(pl.col("kind").is_in([int(EventKind.TRADE), int(EventKind.ORDER_EXEC)]))
        assert told["qty"].sum() == traded == 810_755
        levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
        orders: dict[int, list[int]] = {}
        compared = 0
        for number, side, kind, flags, price, qty, key in rows.select(
            "row", "side", "kind", "flags", (pl.col("price") * 10_000).round(0).cast(pl.Int64),
            pl.col("qty").cast(pl.Int64), "id",
        ).iter_rows():  # fmt: skip
            if kind == EventKind.DEPTH:
                levels[side][price] = qty
            elif kind == EventKind.ORDER_ADD:
                orders[key] = [side, price, qty]
                levels[side][price] = levels[side].get(price, 0) + qty
            elif kind in (EventKind.ORDER_MODIFY, EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC):
                if kind == EventKind.ORDER_EXEC and key not in orders:
                    continue
                had = orders[key][2]
                left = qty if kind == EventKind.ORDER_MODIFY else max(had - qty, 0) if qty else 0
                orders[key][2] = left
                levels[side][price] += left - had
            if flags & EventFlag.MESSAGE_END and number % 7 == 0:
                row = shown[number - 1]
                for k in range(0, 20, 4):
                    assert row[k + 1] == 0 or levels[-1][row[k]] == row[k + 1], number
                    assert row[k + 3] == 0 or levels[1][row[k + 2]] == row[k + 3], number
                worst_ask, worst_bid = row[16], row[18]
                inside = [sum(1 for p, q in levels[-1].items() if q and p <= worst_ask) if row[17] else 5,
                          sum(1 for p, q in levels[1].items() if q and p >= worst_bid) if row[19] else 5]  # fmt: skip
                assert inside == [5, 5], number
                compared += 1
        assert compared > 10_000


def test_lobster_messages_alone_give_the_best_prices_but_for_older_orders() -> None:
    """AAPL's level-50 messages, replayed as orders, against the level-1 file at the messages both have."""
    rows = read_rows("lobster", [lobster("AAPL_L50_1h", "message")])["AAPL"]
    made = fold_orders(rows, 0.0001, 1.0, exact=False)
    after = np.searchsorted(made.rows["row"].to_numpy(), np.arange(1, 92_000), "right") - 1

    def messages(folder: str) -> list[tuple[str, ...]]:
        with gzip.open(lobster(folder, "message"), "rt") as stream:
            return [tuple(row) for row in csv.reader(stream)]

    deep, shallow = messages("AAPL_L50_1h"), messages("AAPL_2012-06-21_1")
    shown = shown_levels(lobster("AAPL_2012-06-21_1", "orderbook"))
    matched = equal = at = 0
    for k, message in enumerate(shallow):
        try:
            found = deep.index(message, at, at + 3_000)
        except ValueError:
            continue
        if DISABLE_JIT and after[found] >= len(made.rows) - 1:
            break
        at = found + 1
        matched += 1
        place = after[found]
        equal += bool(made.ask[place] == shown[k, 0] and made.bid[place] == shown[k, 2])
    assert DISABLE_JIT or matched > 15_000
    assert equal / matched >= (0.99 if DISABLE_JIT else 0.996), (
        equal,
        matched,
    )  # older orders are of the open


@pytest.mark.parametrize("file", ["orders.csv.xz", "2015-05-01.log.xz"])
def test_bitstamp_orders_never_cross(file: str) -> None:
    rows = read_rows("bitstamp_orders", [DATA / "l3_bitstamp_2015" / file])["BTCUSD"]
    made = fold_orders(rows, 0.01, 1e-8)
    assert not len(made.crossed())
    assert DISABLE_JIT or len(made.at_ends()) > 49_000


def test_databento_orders_never_cross_in_continuous_trading() -> None:
    pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    rows = read_rows("databento", [DATA / "mbo_es_databento" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"])["ESH4"]
    made = fold_orders(rows, 0.25, 1.0)
    crossed = made.crossed()
    auction = made.rows.with_row_index().filter((pl.col("kind") == EventKind.TRADE) & (pl.col("side") == 0))
    opening = int(auction["index"][0])
    assert (crossed < opening).all()  # before the opening auction orders are collected, crossed or not
    assert DISABLE_JIT or len(made.at_ends()) > 40_000


def test_databento_tells_each_traded_quantity_once() -> None:
    dbn = pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    path = DATA / "mbo_es_databento" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    rows = read_rows("databento", [path])["ESH4"]
    decoder = dbn.DBNDecoder(compression=dbn.Compression.ZSTD)
    decoder.write(path.read_bytes())
    traded = sum(r.size for r in decoder.decode()[1:] if r.action == "T")
    told = rows.filter(pl.col("kind").is_in([int(EventKind.TRADE), int(EventKind.ORDER_EXEC)]))
    assert told["qty"].sum() == traded


def test_databento_truncated_gives_its_whole_records(tmp_path: Path) -> None:
    pytest.importorskip("databento_dbn", reason="the extra databento is not installed")
    whole = (DATA / "mbo_es_databento" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst").read_bytes()
    path = tmp_path / "cut.dbn.zst"
    path.write_bytes(whole[: len(whole) // 2])
    got = 0
    with pytest.raises(TruncatedError, match=r"it ends within record \d"):  # noqa: PT012 rows before it are counted
        for _, frame in IMPORTERS["databento"].read([Place(path)], Options()):
            got += frame.height
    assert got > 20_000
    path.write_bytes(whole[:2_000] + b"\0" * 2_000 + whole[4_000:])
    with pytest.raises((DataError, TruncatedError), match=r"no DBN file|after record"):
        read_rows("databento", [path])
