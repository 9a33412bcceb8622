"""`data book`: the table equals a book rebuilt in plain Python, after every message and at a pace."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl

from tests.cli.tools import Program
from tradectl.config.load import load_config
from tradectl.config.wire_data import open_data
from tradectl.core.codes import Command, EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.engine.host import command_event
from tradectl.engine.journal import JournalWriter

SECOND = 1_000_000_000


def messages(seed: int, n: int) -> list[tuple[int, str, float, float]]:
    """Return (time, side, price, qty) rows of depth around 100 that never cross; those of one time are a message."""
    rng = random.Random(seed)
    rows, at = [], 1_700_000_000 * SECOND
    for _ in range(n):
        at += rng.choice([0, 0, rng.randrange(1, SECOND)])
        side = rng.choice(["buy", "sell"])
        price = 100 - rng.randrange(1, 8) * 0.5 if side == "buy" else 100 + rng.randrange(1, 8) * 0.5
        rows.append((at, side, price, float(rng.choice([0, 1, 2, 5]))))
    return rows


def rebuilt(rows: list[tuple[int, str, float, float]], levels: int) -> list[tuple[int, list[float | None]]]:
    """Return (time, best levels) after every message."""
    book: dict[str, dict[float, float]] = {"buy": {}, "sell": {}}
    seen = []
    for at, side, price, qty in rows:
        book[side][price] = qty
        book[side] = {p: q for p, q in book[side].items() if q}
        best = [sorted(book["buy"].items(), reverse=True), sorted(book["sell"].items())]
        row: list[float | None] = []
        for k in range(levels):
            for one in best:
                row += list(one[k]) if k < len(one) else [None, None]
        seen.append((at, row))
    return seen


def test_the_table_is_the_book(program: Program, tmp_path: Path) -> None:
    rows = messages(7, 600)
    source = tmp_path / "depth.csv"
    pl.DataFrame(rows, ["ts", "side", "price", "qty"], orient="row").write_csv(source)
    base = ["data", "book", str(source), "--kind", "depth", "--symbol", "X/USD", "--levels", "3", "--json"]
    base += ["--set", "data.mapping.timestamp=ts", "--set", "instruments.X/USD.tick_size=0.5"]
    base += ["--set", "instruments.X/USD.lot_size=1"]
    for every in ("event", "5s"):
        target = tmp_path / f"{every}.parquet"
        made = program(*base, "--every", every, "--out", target)
        assert made.code == 0, made.err
        table = pl.read_parquet(target)
        wanted = rebuilt(rows, 3)
        wanted = list({at: (at, row) for at, row in wanted}.values())
        if every != "event":
            wanted = list({at // (5 * SECOND): (at, row) for at, row in wanted}.values())
        assert table["ts"].cast(pl.Int64).to_list() == [at for at, _ in wanted]
        assert [list(row) for row in table.drop("ts", "ts_exchange").rows()] == [row for _, row in wanted]


def test_a_journal_of_several_books_gives_each(program: Program, tmp_path: Path) -> None:
    """Of its events those of the other instruments, commands and bars of warm-up are no part of a book."""
    blocks = []
    for k, name in enumerate(("AAA", "BBB")):
        rows = [(at, side, price + k, qty) for at, side, price, qty in messages(k, 40)]
        pl.DataFrame(rows, ["ts", "side", "price", "qty"], orient="row").write_csv(tmp_path / f"{name}USD.csv")
        blocks.append(f"  - {{source: {name}USD.csv, kind: depth}}\n")
    config = tmp_path / "run.yaml"
    config.write_text("strategy: none.py\ndata:\n" + "".join(blocks))
    opened = open_data(load_config(config, env={}).config, tmp_path)
    writer = JournalWriter(tmp_path / "run" / "journal", opened.meta())
    writer.append(command_event(Command.START, 0))
    warm = empty_events(1)
    warm["kind"], warm["flags"] = EventKind.BAR, EventFlag.WARMUP
    writer.append(warm)
    for events in opened.chunks(50):
        writer.append(events)
    writer.close()
    for name in ("AAA", "BBB"):
        wanted, made = tmp_path / "wanted.csv", tmp_path / "made.csv"
        assert program("data", "book", tmp_path / f"{name}USD.csv", "--kind", "depth", "--out", wanted).code == 0
        done = program("data", "book", tmp_path / "run", "--symbol", f"{name}/USD", "--out", made)
        assert done.code == 0, done.err
        assert made.read_text() == wanted.read_text()
    told = program("data", "book", tmp_path / "run", "--out", tmp_path / "made.csv")
    assert "--symbol: one of AAA/USD, BBB/USD" in told.err


def test_trades_have_no_book(program: Program, tmp_path: Path) -> None:
    source = tmp_path / "trades.csv"
    source.write_text("ts,price,qty,side\n1700000000000,100,1,buy\n")
    made = program("data", "book", source, "--kind", "trades", "--symbol", "X/USD", "--out", tmp_path / "b.csv")
    assert made.code == 2
    assert "no quotes, depth or orders" in made.err
    assert not (tmp_path / "b.csv").exists()


def test_the_capacity_of_an_order_by_order_book_is_the_configs(program: Program, tmp_path: Path) -> None:
    rows = [
        (1_700_000_000 * SECOND + k, "add", "buy" if k % 2 else "sell", 100 - k % 2, 1, k + 1) for k in range(1_500)
    ]
    source, target = tmp_path / "orders.csv", tmp_path / "book.parquet"
    pl.DataFrame(rows, ["ts", "action", "side", "price", "qty", "order_id"], orient="row").write_csv(source)
    base = ["data", "book", source, "--kind", "orders", "--symbol", "X/USD", "--levels", "1", "--out", target]
    assert program(*base).code == 0
    assert pl.read_parquet(target)["bid_qty_1"][-1] == 750
    few = program(*base, "--set", "engine.book_orders=1024")
    assert few.code == 2
    assert "capacity (engine.book_orders)" in few.err
