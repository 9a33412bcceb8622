"""Sources of one message a line: reads, numbers and decodes lines, and says which one cannot be read."""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable, Iterator, Sequence

from tradectl.errors import DataError
from tradectl.history.files import Place, TruncatedError, text_blocks
from tradectl.history.importers.base import Breaks, Options, Piece
from tradectl.history.importers.rows import Sink

__all__ = [
    "BAD",
    "bad_line",
    "decode_lines",
    "first_text",
    "numbered",
    "seconds_to_ns",
    "stamp_to_ns",
    "stamped",
]

BAD = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError)
BLOCK = 1 << 20  # bytes read at a time
LOOK_EVERY = 256  # lines between two looks at how many rows are waiting
STAMPED = re.compile(rb"(\d+(?:\.\d+)?):? +(.*)", re.DOTALL)


def numbered(place: Place) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (line number from 1, line, whether it ended with a newline); TruncatedError where the file ends early."""
    number = 0
    for block in _xz_blocks(place) if place.path.suffix.lower() == ".xz" else text_blocks(place, BLOCK):
        ended = block.endswith(b"\n")
        lines = block.split(b"\n")
        if ended:
            lines.pop()
        last = len(lines) - 1
        for at, line in enumerate(lines):
            number += 1
            yield number, line, ended or at < last


def first_text(place: Place, head: bytes) -> bytes:
    """Return a file's first bytes as text: `head` itself, or unpacked where it is of an xz file."""
    if place.path.suffix.lower() != ".xz":
        return head
    return next((line for _, line, _ in numbered(place)), b"")


def _xz_blocks(place: Place) -> Iterator[bytes]:
    unpacker, rest = lzma.LZMADecompressor(), b""
    try:
        with place.path.open("rb") as stream:
            while not unpacker.eof and (block := stream.read(BLOCK)):
                text = rest + unpacker.decompress(block)
                cut = text.rfind(b"\n") + 1
                rest = text[cut:]
                if cut:
                    yield text[:cut]
    except lzma.LZMAError as error:
        raise TruncatedError(f"damaged xz data ({error})") from error
    if not unpacker.eof:
        raise TruncatedError("the xz data ends early")
    if rest:
        yield rest


def bad_line(place: Place, number: int, line: bytes, error: Exception) -> DataError:
    """Return the error for a line that cannot be decoded."""
    what, shown = _fault(line, error)
    return DataError(f"{place}: line {number} cannot be read: {what}", hint=shown)


def _fault(line: bytes, error: Exception) -> tuple[str, str]:
    """Return what is wrong with a line, and how it begins."""
    what = f"no field {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
    shown = line[:80].decode(errors="replace") + ("..." if len(line) > 80 else "")
    return what, f"the line begins {shown!r}"


def _refuse(place: Place, options: Options, number: int, line: bytes, error: Exception) -> None:
    """Raise the error of a line, unless such lines are to be left out."""
    if options.refuse is None:
        raise bad_line(place, number, line, error)
    options.refuse(number, "; ".join(_fault(line, error)))  # file and line are added there


def decode_lines(
    places: Sequence[Place], options: Options, sink: Sink, decode: Callable[[bytes, int], None]
) -> Iterator[Piece]:
    """Call `decode(line, number)` for each line, which writes to `sink`, and yield what it holds.

    A last line that was cut off (no newline, not to be read) counts as the end of a truncated file. At the end
    `options` hears of the breaks of each symbol's sequence.
    """
    try:
        yield from _decoded(places, options, sink, decode)
    finally:
        for symbol, rows in sink.items():
            options.breaks.setdefault(symbol, Breaks()).merge(rows.breaks)


def _decoded(
    places: Sequence[Place], options: Options, sink: Sink, decode: Callable[[bytes, int], None]
) -> Iterator[Piece]:
    for place in places:
        options.place = place
        try:
            for number, line, whole in numbered(place):
                try:
                    if line.strip():
                        decode(line, number)
                except BAD as error:
                    if not whole:
                        raise TruncatedError(f"line {number}, the last, is cut off") from error
                    _refuse(place, options, number, line, error)
                if number % LOOK_EVERY == 0:
                    yield from sink.full()
        except TruncatedError:
            yield from sink.rest()
            raise
        yield from sink.rest()


def stamped(line: bytes) -> tuple[int, bytes] | None:
    """Split `<receive stamp> <json>` or `<receive stamp>: <json>` into (ns, json); None for other lines."""
    match = STAMPED.match(line)
    return (stamp_to_ns(match[1].decode()), match[2]) if match else None


def seconds_to_ns(text: str) -> int:
    """Return the nanoseconds of seconds written as text, exact to the ninth digit."""
    whole, _, part = text.partition(".")
    return int(whole) * 10**9 + int(part[:9].ljust(9, "0") or 0)


def stamp_to_ns(text: str) -> int:
    """Return the nanoseconds of a stamp since 1970 whose unit its size tells (s with fractions, ms, us, ns)."""
    if "." in text:
        return seconds_to_ns(text)
    digits = len(text)
    for most, scale in ((11, 10**9), (14, 10**6), (17, 10**3), (20, 1)):
        if digits < most:
            return int(text) * scale
    raise ValueError(f"time stamp {text} fits no unit")
