"""Places on disk: what a source names, how text is unpacked, what a file's hash is."""

from __future__ import annotations

import glob
import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradectl.errors import DataError, nearest

__all__ = [
    "CATALOGUE",
    "FORMATS",
    "Place",
    "TruncatedError",
    "file_hash",
    "fingerprint",
    "resolve",
    "text_blocks",
]

CATALOGUE = "catalogue.json"
BLOCK = 4 << 20  # bytes of text handed on at a time
FORMATS = {
    ".csv": "csv", ".txt": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".arrow": "ipc",
    ".ipc": "ipc", ".feather": "ipc",
}  # fmt: skip
PACKED = (".gz", ".zip", ".zst")
BINARY = (".npz", ".npy", ".dbn", ".dbn.zst")  # of formats of book data: no text
ENDINGS = f"known endings: {', '.join(FORMATS)}, with {', '.join(PACKED)}"


class TruncatedError(Exception):
    """The compressed text ends early or is damaged; what came before was handed on."""


@dataclass(frozen=True, order=True)
class Place:
    """One file, or one member of a zip."""

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    @property
    def stem(self) -> str:
        """Return the file's name without its endings, with its folder for patterns that need one."""
        name = self.path.name
        for ending in PACKED + tuple(FORMATS):
            if name.lower().endswith(ending):
                name = name[: -len(ending)]
        return name

    @property
    def format(self) -> str:
        """Return csv, parquet or ipc."""
        name = self.path.name.lower()
        for ending in PACKED:
            name = name.removesuffix(ending)
        return FORMATS.get(Path(name).suffix, "csv" if self.path.suffix.lower() in PACKED else "")

    @property
    def is_text(self) -> bool:
        """Tell whether its lines can be counted."""
        return self.format not in ("parquet", "ipc") and not self.path.name.lower().endswith(BINARY)


def resolve(sources: Sequence[str], endings: Sequence[str] = (), *, any_file: bool = False) -> list[Place]:
    """Return the files that sources (files, folders, globs) name, sorted, each once.

    `endings` are known beside FORMATS; with `any_file` a file that is named itself may have any ending.
    """
    found: set[Path] = set()
    for source in sources:
        path = Path(source)
        if path.is_dir():
            found |= _inside(path, endings)
        elif path.exists():
            found.add(path)
        elif any(mark in source for mark in "*?["):
            matched = {Path(name) for name in glob.glob(source, recursive=True)}
            if not matched:
                raise DataError(f"no file matches {source}")
            for each in matched:
                found |= _inside(each, endings) if each.is_dir() else {each}
        else:
            parent = path.parent
            hint = nearest(path.name, [p.name for p in parent.iterdir()]) if parent.is_dir() else ""
            raise DataError(f"no such file or folder: {source}", hint=hint)
    places = [place for path in sorted(found) for place in _members(path, any_file or _ends(path, endings))]
    if not places:
        raise DataError(f"no data file in {', '.join(sources)}", hint=ENDINGS)
    return places


def _ends(path: Path, endings: Sequence[str]) -> bool:
    name = path.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    return name.endswith(tuple(endings))


def _inside(folder: Path, endings: Sequence[str]) -> set[Path]:
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {p for p in found if Place(p).format or _ends(p, endings)}


def _members(path: Path, known: bool) -> list[Place]:
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    if not known and not Place(path).format:
        raise DataError(f"{path}: unknown kind of file", hint=ENDINGS)
    if path.suffix.lower() != ".zip":
        return [Place(path)]
    try:
        with zipfile.ZipFile(path) as packed:
            names = sorted(n for n in packed.namelist() if not n.endswith("/"))
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: damaged or truncated zip file ({error})") from error
    if not names:
        raise DataError(f"{path}: the zip file is empty")
    return [Place(path)] if len(names) == 1 else [Place(path, name) for name in names]


def _raw(place: Place, size: int) -> Iterator[bytes]:
    """Yield the unpacked bytes; raise TruncatedError where they end early."""
    ending = place.path.suffix.lower()
    if ending == ".gz":
        yield from _gunzip(place.path, min(size, 1 << 20))
    elif ending == ".zip":
        try:
            with (
                zipfile.ZipFile(place.path) as packed,
                packed.open(place.member or packed.namelist()[0]) as text,
            ):
                while block := text.read(size):
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise TruncatedError(str(error)) from error
    else:
        with place.path.open("rb") as stream:
            while block := stream.read(size):
                yield block


def _gunzip(path: Path, size: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(31)
    started = False
    try:
        with path.open("rb") as stream:
            while block := stream.read(size):
                while block:
                    if unpacker.eof:  # files of several members, as bgzip writes them
                        if not block.strip(b"\0"):
                            break
                        unpacker = zlib.decompressobj(31)
                    started = True
                    yield unpacker.decompress(block)
                    block = unpacker.unused_data
    except zlib.error as error:
        with path.open("rb") as stream:
            is_gzip = stream.read(2) == b"\x1f\x8b"
        if not is_gzip:
            raise TruncatedError("it is no gzip data: the name of a file that is not packed has no .gz") from error
        raise TruncatedError(f"damaged gzip data ({error})") from error
    if not started or not unpacker.eof:
        raise TruncatedError("the gzip data ends early")


def text_blocks(place: Place, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the file's text in blocks of whole lines, `size` bytes or more; the last may lack its newline.

    Of a truncated file the last, cut line is withheld and TruncatedError raised after the rest.
    """
    rest = b""
    pending: list[bytes] = []
    held = 0
    try:
        for block in _raw(place, size):
            pending.append(block)
            held += len(block)
            if held >= size:
                text = rest + b"".join(pending)
                cut = text.rfind(b"\n") + 1
                rest, pending, held = text[cut:], [], 0
                if cut:
                    yield text[:cut]
    except TruncatedError:
        text = rest + b"".join(pending)
        if cut := text.rfind(b"\n") + 1:
            yield text[:cut]
        raise
    if text := rest + b"".join(pending):
        yield text


def file_hash(path: Path) -> str:
    """Return the blake2b hash (16 bytes, hex) of a file's bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(paths: Sequence[Path], root: Path) -> dict[str, dict[str, int | str]]:
    """Return {place relative to root: {size, hash}} of files."""
    made: dict[str, dict[str, int | str]] = {}
    for path in sorted(set(paths)):
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        made[name] = {"size": path.stat().st_size, "blake2b": file_hash(path)}
    return made
