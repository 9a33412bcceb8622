"""Synthetic bars: seeded random walks on the tick grid, with clustered volatility.

Everything is computed in integers, so a seed gives the same bars everywhere.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.errors import ConfigError
from tradectl.history import profiles
from tradectl.history.rows import Rows
from tradectl.history.stamps import parse_timeframe
from tradectl.history.writer import Writer, write_atomically

__all__ = ["Walk", "generate", "walk"]

BLOCK = 65_536  # bars drawn at a time
SIGMA_PPM = 600  # typical move of a bar, in millionths of the price
LOG2 = 16  # fixed-point bits of the volatility factor
PULL = 6  # of a spread between symbols, a 64th goes back to nothing in a bar
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Walk:
    """What is generated: symbol k starts at `price` / 10**k, seeded by (seed, k).

    With `spread_ppm` the symbols after the first follow it: each is the first one's price over 10**k, times one plus
    a spread that moves by so many millionths in a bar and is pulled back to nothing.
    """

    symbols: tuple[str, ...]
    bars: int
    timeframe: str = "1m"
    start_ns: int = 1_704_067_200_000_000_000  # 2024-01-01
    seed: int = 1
    price: Decimal = Decimal(100)
    tick_size: Decimal = Decimal("0.01")
    lot_size: Decimal = Decimal("0.001")
    gap_per_million: int = 0  # bars left out, of a million
    spread_ppm: int = 0  # typical move in a bar of the spread to the first symbol; 0: each walks alone


def walk(spec: Walk, index: int) -> Iterator[tuple[Ints, ...]]:
    """Yield (end stamps, open, high, low, close in ticks, volume in lots) of one symbol, block by block.

    A bar's move is a sum of eight uniform integers (nearly normal) times a volatility that is itself a
    slow bounded walk, in integer arithmetic throughout; the price stays between 1/16 and 16 times its start.
    """
    generator = np.random.Generator(np.random.PCG64([spec.seed, index]))
    step = parse_timeframe(spec.timeframe)
    start = int(spec.price / 10**index / spec.tick_size)
    if start < 1_000 or spec.bars < 1:
        raise ConfigError("generate: each price must be at least 1000 ticks, and bars at least 1")
    if spec.spread_ppm and index:
        yield from _follow(spec, index)
        return
    price, heat = start << 10, 0  # price in 1/1024 ticks
    for first in range(0, spec.bars, BLOCK):
        n = min(BLOCK, spec.bars - first)
        heats = _reflect(heat + np.cumsum(generator.integers(-256, 257, n)), 1 << LOG2)
        heat = int(heats[-1])
        level = (1 << LOG2) + heats  # 0 .. 2, in 1/65536
        noise = generator.integers(-128, 129, (8, n)).sum(axis=0)  # deviation about 210
        scale = max(start * SIGMA_PPM // 1_000, 1)  # 1/1024 ticks, nearly
        moves = (noise * level >> LOG2) * scale // 210
        path = _reflect_between(price + np.cumsum(moves), start << 6, start << 14)
        ends = spec.start_ns + (np.arange(first, first + n) + 1) * step
        yield _bars(generator, ends, (price, path), scale * level >> LOG2, level, spec.gap_per_million)
        price = int(path[-1])


def _bars(
    generator: np.random.Generator, ends: Ints, prices: tuple[int, Ints], wick: Ints, level: Ints, gaps: int
) -> tuple[Ints, ...]:
    """Return bars of a path (1/1024 ticks, after the price before it), some of them left out."""
    before, path = prices
    n = len(path)
    opens = np.concatenate([np.array([before], np.int64), path[:-1]]) >> 10
    closes = path >> 10
    up = generator.integers(0, 1_024, n) * wick >> 20
    down = generator.integers(0, 1_024, n) * wick >> 20
    highs, lows = np.maximum(opens, closes) + up, np.maximum(np.minimum(opens, closes) - down, 1)
    volumes = 1 + (generator.integers(1, 20_001, n) * level >> LOG2)
    keep = generator.integers(0, 1_000_000, n) >= gaps
    columns = (ends, opens, highs, lows, closes, volumes)
    return columns if keep.all() else tuple(column[keep] for column in columns)


def _follow(spec: Walk, index: int) -> Iterator[tuple[Ints, ...]]:
    """Yield the bars of a symbol that follows the first one."""
    generator = np.random.Generator(np.random.PCG64([spec.seed, index]))
    price = (int(spec.price / 10**index / spec.tick_size)) << 10
    spread = 0  # 1e-12
    for ends, _opens, _highs, _lows, closes, _volumes in walk(replace(spec, gap_per_million=0), 0):
        n = len(closes)
        noise = generator.integers(-128, 129, (8, n)).sum(axis=0) * spec.spread_ppm * 1_000_000 // 210
        spreads = np.empty(n, np.int64)
        for k, move in enumerate(noise.tolist()):
            spread += move - (spread >> PULL)
            spreads[k] = spread
        fair = (closes << 10) // 10**index
        path = np.maximum(fair + fair * (spreads // 1_000_000) // 1_000_000, 1_024)
        wick = fair * SIGMA_PPM // 1_000_000
        level = np.full(n, 1 << LOG2, np.int64)
        yield _bars(generator, ends, (price, path), wick, level, spec.gap_per_million)
        price = int(path[-1])


def _reflect(values: Ints, bound: int) -> Ints:
    """Fold a walk back into [-bound, bound]."""
    return _reflect_between(values, -bound, bound)


def _reflect_between(values: Ints, low: int, high: int) -> Ints:
    span = high - low
    folded = (values - low) % (2 * span)
    return low + np.where(folded > span, 2 * span - folded, folded)


def generate(spec: Walk, out: Path, progress: Callable[[int], None] | None = None) -> int:
    """Write the bars and return their number: a catalogue, if `out` is a folder, or text files.

    For text `out` ends in .csv or .csv.gz and, for several symbols, has `{symbol}` in its name.
    """
    if out.suffix in (".csv", ".gz"):
        if len(spec.symbols) != 1 and "{symbol}" not in out.name:
            raise ConfigError("generate: several symbols need {symbol} in the file's name, or a folder")
        return sum(_write_text(spec, index, out) for index in range(len(spec.symbols)))
    writer = Writer(out, progress)
    with writer.transaction():
        for index, name in enumerate(spec.symbols):
            symbol, base, quote = profiles.split_pair(name, None)
            names = {"venue": "SYNTHETIC", "symbol": symbol, "base": base, "quote": quote}
            names |= {"tick_size": f"{spec.tick_size:f}", "lot_size": f"{spec.lot_size:f}"}
            writer.add(names, parse_timeframe(spec.timeframe), _rows(spec, index), keep_old=False)
    return writer.summary.rows


def _write_text(spec: Walk, index: int, out: Path) -> int:
    symbol = re.sub(r"[^A-Za-z0-9]", "", spec.symbols[index])
    path = out.with_name(out.name.replace("{symbol}", symbol))
    lines = "".join(_text(spec, block) for block in walk(spec, index))
    text = f"timestamp,open,high,low,close,volume\n{lines}".encode()
    packed = gzip.compress(text, 9, mtime=0) if out.suffix == ".gz" else text
    write_atomically(path, lambda temporary: temporary.write_bytes(packed))
    return text.count(b"\n") - 1


def _rows(spec: Walk, index: int) -> Iterator[Rows]:
    row = 1
    for ends, *prices, volume in walk(spec, index):
        o, h, l, c = (_units(p, spec.tick_size) for p in prices)  # noqa: E741
        yield Rows(ends, o, h, l, c, _units(volume, spec.lot_size), np.arange(row, row + len(ends)))
        row += len(ends)


def _units(steps: Ints, size: Decimal) -> npt.NDArray[np.float64]:
    """Return steps times size as the nearest doubles: one exact integer operation, one rounding."""
    numerator, denominator = size.as_integer_ratio()
    return np.asarray((steps * numerator) / denominator, np.float64)


def _text(spec: Walk, block: Sequence[Ints]) -> str:
    """Write a block as CSV lines; stamps are the bars' opens in ISO text."""
    step = parse_timeframe(spec.timeframe)
    stamps = pl.Series(block[0] - step).cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_list()
    prices = [_decimals(column, spec.tick_size) for column in block[1:5]]
    volumes = _decimals(block[5], spec.lot_size)
    return "".join(f"{','.join(line)}\n" for line in zip(stamps, *prices, volumes, strict=True))


def _decimals(steps: Ints, size: Decimal) -> list[str]:
    return [f"{int(n) * size:f}" for n in steps]
