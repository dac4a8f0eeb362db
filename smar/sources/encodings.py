"""Text files of unknown encoding, compressed or not, as lines.

What a file is, its bytes say: compression and byte order marks by their first bytes, UTF-8 by
reading the file through once. What is not UTF-8 is guessed, and the guess is said.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from charset_normalizer import from_bytes

from smar.errors import DataError

AUTO = "auto"
_BLOCK = 2**20
_SAMPLE = 2**16  # bytes of lines beyond ASCII that a guess is made from
_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = (
    "cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp932", "euc_jp", "gb18030", "big5", "euc_kr",
)  # fmt: skip
_LATIN = frozenset({"cp1252", "cp1250", "iso8859_2", "cp1254"})
_CENTRAL = frozenset({"Czech", "Polish", "Hungarian", "Slovak", "Slovene", "Croatian", "Romanian"})
_MIXED = "smar-cp1252"
_STRAY_FRAC = 0.1  # of all characters beyond ASCII that may be stray bytes in a UTF-8 file


def _stray_as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Return the characters that bytes which are not UTF-8 have in cp1252."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    stray = error.object[error.start : error.end]
    return stray.decode("cp1252", "replace"), error.end


codecs.register_error(_MIXED, _stray_as_cp1252)


@dataclass
class TextFile:
    """A text file, opened for one reading from its beginning to its end.

    Args:
        path: The file.
        encoding: As Python names it.
        notes: What a user should know of how it is read, "" for plain UTF-8.
        is_cut: Whether the compressed stream broke off; known after the last line.
    """

    path: Path
    encoding: str
    notes: list[str] = field(default_factory=list)
    is_cut: bool = False
    _newline: str = "\n"

    def lines(self) -> Iterator[str]:
        r"""Yield every line without its end ("\n", "\r\n", or "\r" where no other is).

        A compressed file that breaks off gives the lines before the break, the last one as far as
        it goes, and sets `is_cut`.

        Raises:
            DataError: If the file cannot be read.
        """
        errors = _MIXED if self.encoding.startswith("utf-8") else "replace"
        with open_bytes(self.path) as raw:
            stream = _Whole(raw)
            text = io.TextIOWrapper(
                io.BufferedReader(stream, _BLOCK),
                encoding=self.encoding,
                errors=errors,
                newline=self._newline,
            )
            try:
                for line in text:
                    yield line.rstrip("\r\n")
            except OSError as error:
                raise DataError(f"{self.path}: cannot be read to its end: {error}") from error
            self.is_cut = stream.is_cut


class _Whole(io.RawIOBase):
    """A stream that ends where a compressed one breaks off."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self.is_cut = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        block = b"" if self.is_cut else self._read(len(view))
        view[: len(block)] = block
        return len(block)

    def _read(self, size: int) -> bytes:
        read = getattr(self._inner, "read1", self._inner.read)
        try:
            return cast("bytes", read(size))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            if isinstance(error, gzip.BadGzipFile) and "CRC" in str(error):
                raise  # not cut short: what was read before is wrong
            self.is_cut = True
            return b""


def open_bytes(path: Path) -> IO[bytes]:
    """Return a file's bytes as a stream, unpacked where its first bytes say gzip, bzip2 or xz.

    Raises:
        DataError: If the file cannot be opened, or is packed in a way that is not read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(6)
        if head.startswith(b"\x1f\x8b"):
            return cast("IO[bytes]", gzip.open(path, "rb"))
        if head.startswith(b"BZh"):
            return cast("IO[bytes]", bz2.open(path, "rb"))
        if head.startswith(b"\xfd7zXZ\x00"):
            return cast("IO[bytes]", lzma.open(path, "rb"))
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            raise DataError(f"{path}: is packed by zstd; unpack it, or pack it by gzip.")
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error}") from error


def open_text(path: Path, encoding: str = AUTO, setting: str = "encoding") -> TextFile:
    """Return a text file whose encoding is known.

    Args:
        path: A text file, packed by gzip, bzip2, xz or not at all.
        encoding: An encoding, or "auto" to find it.
        setting: Name of the parameter that `encoding` comes from, for messages.

    Raises:
        DataError: If the file cannot be read, or there is no such encoding.
    """
    head, found, sample, num_stray = _scan(path)
    newline = "\r" if b"\r" in head and b"\n" not in head else "\n"
    if encoding != AUTO:
        try:
            name = codecs.lookup(encoding).name
        except LookupError as error:
            raise DataError(
                f"{setting}: {encoding!r} is no encoding; expected auto, utf-8, cp1252, ..."
            ) from error
        name = "utf-8-sig" if name == "utf-8" else name
        return TextFile(path, name, _newline=newline)
    if found:
        notes = [f"encoding {found}"] if found != "utf-8-sig" else []
        if num_stray:
            notes = [f"UTF-8, but for {num_stray} bytes that were read as cp1252 (see {setting})"]
        return TextFile(path, found, notes, _newline=newline)
    guess = _guess(sample)
    return TextFile(
        path, guess, [f"not UTF-8; read as {guess}; if that is wrong, set {setting}"],
        _newline=newline,
    )  # fmt: skip


def _scan(path: Path) -> tuple[bytes, str, bytes, int]:
    """Return a file's first bytes, its encoding if it is sure ("" if not), lines, stray bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    sample, head = b"", b""
    num_wide = num_stray = 0
    with open_bytes(path) as raw:
        stream = _Whole(raw)
        try:
            while True:
                block = stream.read(_BLOCK) or b""
                if not head:
                    head = block[: 2**16]
                    if sure := _by_head(head):
                        return head, sure, b"", 0
                if len(sample) < _SAMPLE and not block.isascii():
                    wide = [line for line in block.split(b"\n") if not line.isascii()]
                    sample += b"\n".join(wide)[:_SAMPLE]
                wide_here, stray_here = _count_wide(decoder.decode(block, final=not block))
                num_wide += wide_here
                num_stray += stray_here
                if not block:
                    break
        except OSError as error:
            raise DataError(f"{path}: cannot be read to its end: {error}") from error
    is_utf8 = num_stray <= _STRAY_FRAC * (num_wide - num_stray)
    return head, "utf-8-sig" if is_utf8 else "", sample, num_stray


def _count_wide(text: str) -> tuple[int, int]:
    """Return the characters beyond ASCII and, among them, the stray bytes (lone surrogates)."""
    if text.isascii():
        return 0, 0
    num_wide = len(text) - len(text.encode("ascii", "ignore"))
    return num_wide, len(text) - len(text.encode("utf-8", "ignore").decode("utf-8"))


def _by_head(head: bytes) -> str:
    for mark, name in _BOMS:
        if head.startswith(mark) and name != "utf-8-sig":
            return name
    evens, odds = head[0:4096:2].count(0), head[1:4096:2].count(0)
    half = max(1, len(head[:4096]) // 2)
    if odds > 0.4 * half and evens < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if evens > 0.4 * half and odds < 0.1 * half else ""


def _guess(sample: bytes) -> str:
    """Return the legacy encoding that a sample is most likely in, cp1252 in doubt.

    Western texts are told from central European and Turkish ones by their language: by their bytes
    alone they could be either.
    """
    best = from_bytes(sample, cp_isolation=list(_LEGACY)).best()
    if best is None:
        return "cp1252"
    if best.encoding not in _LATIN:
        return str(best.encoding)
    if best.language in _CENTRAL:
        return "iso8859_2" if best.encoding == "iso8859_2" else "cp1250"
    return "cp1254" if best.language == "Turkish" else "cp1252"
