"""A terminal with a session on it: keys reach the session, and the terminal is given back as it was."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from tests.cli.paper_world import ROOT, config_file
from tradectl.cli.paper_keys import pressed
from tradectl.cli.paper_outlet import Outlet

pytestmark = pytest.mark.xdist_group("paper")
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
PATIENCE_S = 240  # the fold may have to be compiled first
LFLAG = 3


class Terminal:
    """A session in a process of its own on a terminal of 80 × 24."""

    def __init__(self, *words: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            sizes = ("COLUMNS", "LINES", "NO_COLOR")
            env = {name: value for name, value in os.environ.items() if name not in sizes} | {"TERM": "xterm-256color"}
            os.execve(sys.executable, [sys.executable, "-m", "tests.cli.paper_world", *words], env)
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = self.how()
        self.shown = b""

    def how(self) -> list[Any]:
        return termios.tcgetattr(self.fd)

    def read(self, until: bytes) -> bytes:
        """Return what was shown until some text came."""
        end, start = time.monotonic() + PATIENCE_S, len(self.shown)
        while until not in self.shown[start:]:
            assert time.monotonic() < end, self.shown[-2000:]
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.fd, 65_536)
                except OSError:  # the other end is closed
                    break
        return self.shown[start:]

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(str(config_file(tmp_path)), str(tmp_path / "runs"), *getattr(request, "param", ()))
    yield made
    made.close()


def test_keys_and_the_way_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.read(ENTER)
    terminal.read(b" ACTIVE ")
    assert not terminal.how()[LFLAG] & (termios.ICANON | termios.ECHO)
    assert terminal.how()[LFLAG] & termios.ISIG
    terminal.press(b"h")
    terminal.read(b" HALTED ")
    terminal.press(b"\x1a\x13")  # Ctrl-Z, Ctrl-S: neither stops it
    terminal.press(b"f")
    terminal.read(b"y: yes")
    terminal.press(b"y")
    terminal.read(b"positions: flat")
    ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    terminal.read("─".encode() * 45)  # more than 80 columns have room for
    terminal.press(b"q")
    terminal.read(LEAVE)
    terminal.read(b"never shown")
    assert terminal.how() == terminal.before
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "summary.json").is_file()


def test_ctrl_c_is_the_same_way_out(terminal: Terminal, tmp_path: Path) -> None:
    terminal.read(b" ACTIVE ")
    terminal.press(b"\x03")
    terminal.read(LEAVE)
    terminal.read(b"never shown")
    assert terminal.how() == terminal.before
    (run,) = (tmp_path / "runs").iterdir()
    assert '"ended": "interrupted"' in (run / "summary.json").read_text()


@pytest.mark.parametrize("terminal", [("fails",)], indirect=True)
def test_a_view_that_fails_gives_the_terminal_back(terminal: Terminal, tmp_path: Path) -> None:
    terminal.read(b"the session goes on")
    assert LEAVE in terminal.shown
    assert terminal.how() == terminal.before
    (run,) = (tmp_path / "runs").iterdir()
    size = sum(path.stat().st_size for path in (run / "journal").glob("*.tcj"))
    time.sleep(0.5)
    assert sum(path.stat().st_size for path in (run / "journal").glob("*.tcj")) > size


@pytest.mark.parametrize("terminal", [("exits",)], indirect=True)
def test_an_end_without_ceremony_gives_the_terminal_back(terminal: Terminal) -> None:
    terminal.read(b" ACTIVE ")
    terminal.press(b"x")
    terminal.read(LEAVE)
    assert terminal.how() == terminal.before


def test_keys_in_what_a_terminal_sends() -> None:
    assert pressed(b"hq") == ["h", "q"]
    assert pressed(b"\x1b[A\x1b[B\x1bOC\x1b[1;5D") == ["up", "down", "right", "left"]
    assert pressed(b"\x1b") == ["escape"]
    assert pressed(b"\x1b[3~y") == ["y"]
    assert pressed("é".encode()) == ["Ã", "©"]


def test_an_outlet_never_waits() -> None:
    reading, writing = os.pipe()
    outlet = Outlet(os.fdopen(writing, "w"), most=1_000_000)
    start = time.monotonic()
    for _ in range(30):
        outlet.write("x" * 50_000)
        outlet.flush()
    assert time.monotonic() - start < 1.0
    assert outlet.busy
    assert 10 <= outlet.left_out < 30
    wanted = (30 - outlet.left_out) * 50_000
    received = 0
    while received < wanted:
        received += len(os.read(reading, 65_536))
    outlet.write("€")
    outlet.close()
    assert os.read(reading, 100) == "€".encode()
    os.close(reading)
    outlet.stream.close()


def test_an_outlet_whose_reader_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    outlet = Outlet(os.fdopen(writing, "w"))
    outlet.write("nobody reads this")
    outlet.close()
    assert not outlet.busy
    assert capsys.readouterr().err == ""
