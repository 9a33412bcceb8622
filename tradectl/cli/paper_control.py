"""Steering a running session from outside: a Unix socket in its run folder, one JSON line in, one out.

    {"command": "halt"}  ->  {"ok": true, "command": "halt", "status": {…}}
    {"command": "hlat"}  ->  {"ok": false, "error": "…", "hint": "did you mean 'halt'? valid: …"}

The system takes short paths of sockets only (about 104 bytes): where the folder's is longer, or its disk takes none,
the socket lies in a private temporary folder and `control.path` says where.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.core.codes import Command
from tradectl.errors import ConfigError, StoreError, nearest

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session

__all__ = ["COMMANDS", "SOCKET", "WORDS", "ask", "serve_control"]

SOCKET, PLACE = "control.sock", "control.path"
LONGEST = 100  # bytes of a socket's path that every system takes
LINE = 1 << 16  # bytes of a request
PATIENCE_S = 5.0
COMMANDS = {
    "halt": Command.HALT,
    "resume": Command.RESUME,
    "reduce": Command.REDUCE,
    "cancel-all": Command.CANCEL_ALL,
    "flatten": Command.FLATTEN,
}
WORDS = (*COMMANDS, "status", "stop")


async def serve_control(session: Session) -> None:
    """Answer on the session's socket until cancelled; only the owner of the process can reach it."""
    from tradectl.cli.paper_reading import Reader

    reader, writers = Reader(session), set[asyncio.StreamWriter]()

    async def client(lines: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            with suppress(ConnectionError):  # it went away
                while line := await next_line(lines):
                    writer.write(json_line(answer(session, reader, line)))
                    await writer.drain()
        finally:
            writers.discard(writer)
            writer.close()

    with listening(session.folder.path) as server_socket:
        server = await asyncio.start_unix_server(client, sock=server_socket, limit=LINE)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in list(writers):
                writer.close()


async def next_line(lines: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end; of one that is too long a part, which no request is."""
    begun = b""
    while True:
        try:
            line = await lines.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            line = error.partial
        except asyncio.LimitOverrunError as error:
            begun = await lines.readexactly(error.consumed)
            continue
        return begun or line


def json_line(value: Any) -> bytes:
    """Return a value as one line of JSON."""
    from tradectl.cli.output import json_text

    return json_text(value).encode() + b"\n"


def answer(session: Session, reader: Any, line: bytes) -> dict[str, Any]:
    """Do what a request says and return the answer."""
    from tradectl.cli.paper_reading import status_of

    if len(line) > LINE:
        return {"ok": False, "error": f"a request is a line of at most {LINE:,} bytes", "hint": ""}
    try:
        word = json.loads(line)["command"]
    except (ValueError, TypeError, KeyError):
        return {"ok": False, "error": "a request is a line like {\"command\": \"status\"}", "hint": ""}
    if word not in WORDS:
        return {"ok": False, "error": f"unknown command {word!r}", "hint": nearest(str(word), WORDS)}
    if word in COMMANDS:
        session.command(COMMANDS[word])
    elif word == "stop":
        session.stop("stopped by control")
    if session.failure is not None:
        return {"ok": False, "error": f"the session failed: {session.failure}", "hint": ""}
    return {"ok": True, "command": word, "status": status_of(session, reader)}


# --- the socket


@contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    """Give a listening socket in a run folder, or with its place told there; nothing is left of it afterwards."""
    path, place, private = (folder / SOCKET).absolute(), folder / PLACE, None
    _forget(path, place)  # of a killed process: whoever runs the session holds its folder
    made = _bound(path) if len(os.fsencode(path)) <= LONGEST else None
    try:
        if made is None:
            private = Path(tempfile.mkdtemp(prefix="tradectl-"))
            path = private / SOCKET
            made = _bound(path)
            if made is None:
                raise StoreError(f"no control socket can be made in {private}")
            place.write_text(f"{path}\n", encoding="utf-8")
        yield made
    finally:
        if made is not None:
            made.close()
        with suppress(OSError):
            path.unlink(missing_ok=True)
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)
            with suppress(OSError):
                place.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket | None:
    """Return a socket bound to a path with mode 0600; None where the disk takes none."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    except OSError:
        made.close()
        return None
    finally:
        os.umask(before)
    return made


def _forget(path: Path, place: Path) -> None:
    """Remove what a killed process left."""
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    with suppress(OSError, ValueError):
        old = Path(place.read_text(encoding="utf-8").strip())
        place.unlink()
        if old.name == SOCKET and old.parent.name.startswith("tradectl-") and stat.S_ISSOCK(old.lstat().st_mode):
            shutil.rmtree(old.parent, ignore_errors=True)


# --- the other end


def ask(folder: Path, word: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """Send a command to the session that runs in a folder; return its status.

    ConfigError for an unknown command; StoreError where no session runs there, it does not answer, or it has failed.
    """
    if word not in WORDS:
        raise ConfigError(f"unknown command {word!r}", hint=nearest(word, WORDS))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
            made.settimeout(patience_s)
            made.connect(_socket_of(folder))
            made.sendall(json_line({"command": word}))
            with made.makefile("rb") as stream:
                line = stream.readline()
        found = dict(json.loads(line))
    except TimeoutError:
        raise StoreError(f"{folder.name} did not answer within {patience_s:g} s") from None
    except PermissionError as error:
        raise StoreError(f"{folder.name} belongs to another user: {error.strerror}") from None
    except (OSError, ValueError):
        hint = f"tradectl paper --resume {folder} goes on with it"
        raise StoreError(f"{folder.name} is not running", hint=hint) from None
    if not found.get("ok"):
        raise StoreError(f"{folder.name}: {found.get('error')}", hint=str(found.get("hint", "")))
    return dict(found["status"])


def _socket_of(folder: Path) -> str:
    """Return the shortest path of a folder's socket."""
    path = folder / SOCKET
    if not path.exists() and (folder / PLACE).is_file():
        return (folder / PLACE).read_text(encoding="utf-8").strip()
    return min((str(path), str(path.resolve()), os.path.relpath(path)), key=len)
