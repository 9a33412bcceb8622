"""Single keys of a terminal for a running event loop; the terminal is given back as it was, whatever happens."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["keys_of", "pressed", "restore_terminal"]

KEY = re.compile(rb"\x1b[\[O][0-9;]*([A-Za-z~])|\x1b|[^\x1b]")
ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
LEAVE = "\x1b[?1049l\x1b[?25h"  # the ordinary screen, and a cursor
IFLAG, LFLAG, CC = 0, 3, 6  # places in what tcgetattr returns

_before: list[tuple[int, list[Any]]] = []  # the keyboard and how it was


def pressed(data: bytes) -> list[str]:
    """Return the keys in what a terminal sent: characters, `up`, `down`, `left`, `right`, `escape`."""
    found = []
    for match in KEY.finditer(data):
        arrow, text = match.group(1), match.group()
        if arrow is not None:
            found += [ARROWS[arrow]] if arrow in ARROWS else []
        else:
            found.append("escape" if text == b"\x1b" else text.decode("latin-1"))
    return found


def keyboard() -> int | None:
    """Return the descriptor of the keyboard; None where there is none, or this is a background job."""
    try:
        descriptor = sys.stdin.fileno()
        ours = os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except (OSError, ValueError, AttributeError):
        return None
    return descriptor if ours else None


@contextmanager
def keys_of(press: Callable[[str], None]) -> Iterator[bool]:
    """Call `press` with every key while entered; gives whether there is a keyboard.

    Ctrl-C stays a signal; Ctrl-Z and Ctrl-S do nothing, for a session that stands still misses the market.
    """
    descriptor = keyboard()
    if descriptor is None:
        yield False
        return
    loop = asyncio.get_running_loop()
    _before.append((descriptor, termios.tcgetattr(descriptor)))
    try:
        _by_key(descriptor)
        loop.add_reader(descriptor, _read, descriptor, press)
        yield True
    finally:
        loop.remove_reader(descriptor)
        _put_back()


def _by_key(descriptor: int) -> None:
    """Let a terminal hand on each key at once, unseen."""
    how = termios.tcgetattr(descriptor)
    how[IFLAG] &= ~termios.IXON
    how[LFLAG] &= ~(termios.ICANON | termios.ECHO)
    how[CC][termios.VMIN], how[CC][termios.VTIME] = 1, 0
    how[CC][termios.VSUSP] = b"\0"  # no key
    termios.tcsetattr(descriptor, termios.TCSANOW, how)


def _read(descriptor: int, press: Callable[[str], None]) -> None:
    try:
        data = os.read(descriptor, 1024)
    except OSError:
        data = b""
    if not data:  # the terminal is gone
        asyncio.get_running_loop().remove_reader(descriptor)
    for key in pressed(data):
        press(key)


def _put_back() -> None:
    """Let the terminal be as it was; what was typed and not read is dropped."""
    while _before:
        descriptor, how = _before.pop()
        with suppress(termios.error, OSError):
            termios.tcsetattr(descriptor, termios.TCSANOW, how)
            termios.tcflush(descriptor, termios.TCIFLUSH)


def restore_terminal() -> None:
    """Give the terminal back before an end that runs no `finally`; does nothing where no view is shown."""
    if _before:
        _put_back()
        with suppress(OSError, ValueError):
            os.write(sys.stdout.fileno(), LEAVE.encode())
