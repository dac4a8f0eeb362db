"""`smar encode`: queries in, one a line, and a line of JSON out for each, as they come."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from smar.errors import DataError
from smar.export.encoding import encoded, normalized
from smar.export.source import Source
from smar.models.encode import encode_queries

_AT_ONCE = 1 << 16  # bytes; what has come so far is encoded together
_LONGEST = 10_000  # characters of a query


@dataclass
class Encoder:
    """Turns lines into lines and remembers which could not be encoded.

    Args:
        source: The release.
        read: How many lines came.
        bad: What was wrong, by the number of the line, from 1.
    """

    source: Source
    read: int = 0
    bad: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._columns = self.source.index.words.vocabulary

    def lines(self, raw: Sequence[bytes]) -> Iterator[bytes]:
        """Yield a line of JSON for each raw line; one that cannot be encoded says why."""
        texts, problems = [], []
        for line in raw:
            text, problem = _text_of(line)
            texts.append(text)
            problems.append(problem)
        good = [text for text, problem in zip(texts, problems, strict=True) if not problem]
        index = self.source.index
        read = index.read(good)
        asked = [index.sought(text) for text in read]
        embeddings = (
            encode_queries(self.source.model, [one.text for one in asked]) if read else None
        )
        found = iter(encoded(index, asked, embeddings) if embeddings else [])
        pairs = zip(good, read, strict=True)
        for line, problem in zip(raw, problems, strict=True):
            self.read += 1
            if problem:
                self.bad[self.read] = problem
                content = {"query": line.decode(errors="replace"), "error": problem}
            else:
                content = _told(*next(pairs)) | next(found).as_dict(self._columns)
            yield orjson.dumps(
                content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
            )

    def check(self) -> None:
        """Say which lines were not encoded.

        Raises:
            DataError: If there is one.
        """
        if self.bad:
            first, problem = next(iter(self.bad.items()))
            raise DataError(
                f"{len(self.bad)} of {self.read} lines were not encoded (line {first}: {problem}); "
                "each has its place in the output, with an error instead of a vector."
            )


def encode_stream(source: Source, queries: BinaryIO, sink: BinaryIO) -> None:
    """Write a line of JSON for every line of queries, at once for what has come so far.

    Raises:
        DataError: After the last line, if some could not be encoded.
    """
    encoder = Encoder(source)
    rest = b""
    while chunk := _read(queries):
        *complete, rest = (rest + chunk).split(b"\n")
        sink.writelines(encoder.lines(complete))
        sink.flush()
    if rest:
        sink.writelines(encoder.lines([rest]))
        sink.flush()
    encoder.check()


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Yield a file of queries, standard input for "-".

    Raises:
        DataError: If there is no such file.
    """
    if name == "-":
        yield sys.stdin.buffer
        return
    path = Path(name)
    if not path.is_file():
        raise DataError(
            f"{path}: no such file. Name a file with one query a line, or - for standard input."
        )
    with path.open("rb") as file:
        yield file


def _read(queries: BinaryIO) -> bytes:
    """Return what there is now, at least a byte until it ends."""
    read_now = getattr(queries, "read1", queries.read)
    return bytes(read_now(_AT_ONCE))


def _told(typed: str, read: str) -> dict[str, str]:
    """Return the query as it was typed, and what it was read as where that is something else."""
    return {"query": typed, "corrected": read if read != typed else ""}


def _text_of(line: bytes) -> tuple[str, str]:
    """Return the normalised text of a line, and what is wrong with it or ""."""
    try:
        [text] = normalized([line.decode("utf-8")])
    except UnicodeDecodeError as error:
        return "", f"is not UTF-8 ({error.reason} at byte {error.start})"
    if not text:
        return "", "has no text"
    if len(text) > _LONGEST:
        return "", f"has {len(text)} characters, expected at most {_LONGEST}"
    return text, ""
