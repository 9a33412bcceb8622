"""A way out that never waits: a terminal or pipe that takes nothing must not hold up a live session."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TextIO

__all__ = ["Outlet"]

MOST = 1 << 20  # characters that may wait to be written
END_S = 1.0  # how long the end waits for what was not written yet


class Outlet:
    """A text stream written by a thread of its own; what is flushed while too much waits is left out and counted."""

    def __init__(self, stream: TextIO, most: int = MOST) -> None:
        self.stream, self.most = stream, most
        self.left_out = 0
        self.encoding = stream.encoding or "utf-8"
        self._parts: list[str] = []
        self._put = self._done = 0  # characters; each is changed by one thread only
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._pass_on, name="outlet", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Return whether something waits."""
        return self._put != self._done

    def write(self, text: str) -> int:
        """Take text."""
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was taken."""
        text = "".join(self._parts)
        self._parts.clear()
        if self._put - self._done + len(text) > self.most:
            self.left_out += 1
        elif text:
            self._put += len(text)
            self._queue.put(text)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self.stream.fileno()

    def close(self) -> None:
        """Hand on the rest and end, after a moment also where nobody takes it."""
        self.flush()
        self._queue.put(None)
        self._thread.join(END_S)

    def _pass_on(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self.stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
                self.stream.flush()
            except (OSError, ValueError):  # closed at the other end: the session goes on without it
                pass
            self._done += len(text)
