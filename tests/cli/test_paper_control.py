"""Steering a session over its socket: what it answers, whom it answers, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tradectl.cli.paper_reading as reading
from tests.cli.tools import Program
from tradectl.cli.paper_control import COMMANDS, LINE, LONGEST, PLACE, SOCKET, WORDS, ask, serve_control
from tradectl.errors import ConfigError, StoreError


class FakeSession:
    """A session that only notes what it is told."""

    def __init__(self, path: Path) -> None:
        self.folder = SimpleNamespace(path=path)
        self.told: list[Any] = []
        self.failure: BaseException | None = None

    def command(self, command: Any) -> None:
        self.told.append(command)

    def stop(self, reason: str) -> None:
        self.told.append(reason)


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "Reader", lambda session: session)
    monkeypatch.setattr(reading, "status_of", lambda session, _reader: {"told": len(session.told)})


@pytest.fixture
def long_path(tmp_path: Path) -> Path:
    made = tmp_path / ("a" * 60) / ("b" * 60)
    made.mkdir(parents=True)
    assert len(str(made)) > LONGEST
    return made


def served(session: FakeSession, talk: Any) -> Any:
    """Run `talk` in a thread beside the served session; return what it returns."""

    async def both() -> Any:
        server = asyncio.create_task(serve_control(session))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        try:
            return await asyncio.to_thread(talk)
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    return asyncio.run(both())


def raw(path: Path, sent: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(5)
        made.connect(str(path))
        made.sendall(sent)
        made.shutdown(socket.SHUT_WR)
        with made.makefile("rb") as stream:
            return stream.read()


def test_every_word_reaches_the_session(tmp_path: Path) -> None:
    session = FakeSession(tmp_path)
    found = served(session, lambda: [ask(tmp_path, word) for word in WORDS])
    assert session.told == [*COMMANDS.values(), "stopped by control"]
    assert [one["told"] for one in found] == [1, 2, 3, 4, 5, 5, 6]
    assert not list(tmp_path.iterdir())


def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    mode = served(FakeSession(tmp_path), lambda: (tmp_path / SOCKET).lstat().st_mode)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_an_unknown_word_is_answered_with_the_nearest(tmp_path: Path) -> None:
    session = FakeSession(tmp_path)

    answer = json.loads(served(session, lambda: raw(tmp_path / SOCKET, b'{"command": "flaten"}\n')))
    assert (answer["ok"], answer["error"]) == (False, "unknown command 'flaten'")
    assert answer["hint"].startswith("did you mean 'flatten'?")
    assert session.told == []
    with pytest.raises(ConfigError, match="unknown command 'flaten'") as told:
        ask(tmp_path, "flaten")
    assert told.value.hint == answer["hint"]


@pytest.mark.parametrize("sent", [b"halt\n", b"[]\n", b"{}\n", b'{"command": 7}\n', b"\xff\n"])
def test_what_is_no_request_is_refused_and_the_next_one_heard(tmp_path: Path, sent: bytes) -> None:
    lines = served(FakeSession(tmp_path), lambda: raw(tmp_path / SOCKET, sent + b'{"command": "status"}\n'))
    first, second = (json.loads(line) for line in lines.splitlines())
    assert (first["ok"], second["ok"]) == (False, True)


@pytest.mark.parametrize("length", [LINE + 1, LINE + 200, 200_000, 2 * LINE])
def test_a_line_that_is_too_long_is_answered_and_the_next_one_heard(tmp_path: Path, length: int) -> None:
    def talk() -> list[Any]:
        sent = b"x" * length + b'\n{"command": "status"}\n' + b"x" * length
        return [json.loads(line) for line in raw(tmp_path / SOCKET, sent).splitlines()]

    first, second, third = served(FakeSession(tmp_path), talk)
    assert first == third == {"ok": False, "error": "a request is a line of at most 65,536 bytes", "hint": ""}
    assert second["ok"]


def test_a_session_that_failed_says_so(tmp_path: Path) -> None:
    session = FakeSession(tmp_path)
    session.failure = StoreError("the disk is full")
    with pytest.raises(StoreError, match="the disk is full"):
        served(session, lambda: ask(tmp_path, "halt"))


def test_a_long_path_has_its_socket_elsewhere(long_path: Path) -> None:
    def talk() -> Path:
        assert ask(long_path, "status") == {"told": 0}
        place = Path((long_path / PLACE).read_text().strip())
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        return place

    place = served(FakeSession(long_path), talk)
    assert not place.parent.exists()
    assert not list(long_path.iterdir())


def test_a_long_path_is_reached_from_near_by(tmp_path: Path, long_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's path is short, the caller's is long: a link into the folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    (long_path / "link").symlink_to(folder)
    assert served(FakeSession(folder), lambda: ask(long_path / "link", "status")) == {"told": 0}


def test_what_a_killed_session_left_is_replaced(tmp_path: Path, long_path: Path) -> None:
    for folder in (tmp_path, long_path):
        private = tmp_path / "tradectl-dead"
        private.mkdir()
        path = (folder if folder == tmp_path else private) / SOCKET
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))
        if folder == long_path:
            (folder / PLACE).write_text(str(path))
        with pytest.raises(StoreError, match="is not running"):
            ask(folder, "status")
        assert served(FakeSession(folder), lambda folder=folder: ask(folder, "status")) == {"told": 0}
        assert private.exists() == (folder == tmp_path)
        if private.exists():
            private.rmdir()


def test_a_session_that_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not running") as told:
        ask(tmp_path, "status")
    assert told.value.hint.startswith(f"tradectl paper --resume {tmp_path} ")


def test_a_session_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / SOCKET))
        made.listen()
        with pytest.raises(StoreError, match=r"did not answer within 0\.1 s"):
            ask(tmp_path, "status", 0.1)


def test_the_command_names_what_is_wrong(program: Program, tmp_path: Path) -> None:
    done = program("control", "latest", "halt")
    assert (done.code, "there is no session in runs" in done.err) == (6, True)
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    (run / "session.json").write_text("{}")
    done = program("control", "latest", "hlat")
    assert (done.code, "did you mean 'halt'?" in done.err) == (2, True)
    done = program("control", "latest", "halt")
    assert (done.code, "one is not running" in done.err) == (6, True)
