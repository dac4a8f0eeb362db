"""Names of DVC as names of Dagster: valid, stable, and readable back.

What Dagster takes is kept: letters, digits, "_", "-" and ".". Everything else is written as its
code point, "raw data.csv" as `raw_x20_data.csv`, so that `decode` gives the name back. Two names
that Dagster would take for one (it reads "-", "." and "_" alike) are told apart the same way.
"""

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import md5
from itertools import count

import dagster as dg

from dagster_dvc.private import stringify_asset_key_to_input_name

_ESCAPE = re.compile(r"_x([0-9A-F]+)_")
_LOOK_ALIKE = re.compile(r"_(?=x[0-9A-F])")
# Older Dagster makes names of inputs that it then refuses from keys with a dot.
TAKES_DOTS = "." not in stringify_asset_key_to_input_name(dg.AssetKey(["a.b"]))
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]" if TAKES_DOTS else r"[^A-Za-z0-9_-]")
_UNSAFE_IDENTIFIER = re.compile(r"[^A-Za-z0-9_]")
# What Dagster keeps for itself as the name of an op, an input or an output.
_RESERVED = frozenset(
    {"context", "conf", "config", "meta", "arg_dict", "dict", "input_arg_dict", "output_arg_dict",
     "int", "str", "float", "bool", "input", "output", "type", *keyword.kwlist}
)  # fmt: skip
_LONGEST = 100  # of an op's name, which becomes a file's name

_MARKS = ("\0stage", "\0item", "\0source")  # no file and no stage has a NUL in its name

Key = tuple[str, ...]


def encode(name: str, *, is_strict: bool = False) -> str:
    """Return a part of a key for any text; `is_strict` also writes out "-" and ".".

    >>> encode("raw data.csv")
    'raw_x20_data.csv'
    """
    if not name:
        return "_x0_"
    text = _LOOK_ALIKE.sub("_x5F_", name)
    unsafe = _UNSAFE_IDENTIFIER if is_strict else _UNSAFE
    return unsafe.sub(lambda found: f"_x{ord(found.group()):X}_", text)


def decode(part: str) -> str:
    """Return the text that `encode` was given."""
    if part == "_x0_":
        return ""
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 16)), part)


def split_path(path: str) -> list[str]:
    """Return the parts of a path or an address: of "https://h/x.csv" "https:", "h" and "x.csv"."""
    scheme, found, rest = path.partition("://")
    if found and "/" not in scheme:
        return [f"{scheme}:", *rest.split("/")]
    return ["/", *path[1:].split("/")] if path.startswith("/") else path.split("/")


def join_path(parts: Sequence[str]) -> str:
    """Return the path that `split_path` took apart."""
    first, *rest = parts
    if first == "/":
        return "/" + "/".join(rest)
    if first.endswith(":") and len(first) > 1 and rest:
        return f"{first}//" + "/".join(rest)
    return "/".join(parts)


def path_of(key: Sequence[str]) -> str:
    """Return the path of a source from its key, without a prefix."""
    parts = [decode(part) for part in key]
    parts[-1] = parts[-1].partition("\0")[0]
    return join_path(parts)


def identifier(key: Sequence[str]) -> str:
    """Return what Dagster makes of a key where it needs an identifier."""
    return dg.AssetKey(list(key)).to_python_identifier()


def op_name(key: Sequence[str]) -> str:
    """Return the name of the op of an asset: its identifier, cut with a digest where it is long."""
    name = identifier(key)
    if len(name) <= _LONGEST:
        return name
    digest = md5("/".join(key).encode(), usedforsecurity=False).hexdigest()[:12]
    return f"{name[: _LONGEST - 13]}_{digest}"


def settle(wanted: Mapping[str, Key], rank: Mapping[str, int]) -> dict[str, Key]:
    """Return a key for every thing, no two of which Dagster takes for one.

    A thing whose name clashes gives way to one of a lower rank, among equals to the plainer name:
    first "-" and "." are written out; if that is not enough, the last part is marked with what the
    thing is. Which key a thing gets depends on nothing but the things that clash with it.

    Args:
        wanted: The key by thing, of encoded parts.
        rank: 0 for stages, 1 for items of foreach and matrix, 2 for sources.
    """
    taken: set[str] = set()
    found: dict[str, Key] = {}
    order = sorted(wanted, key=lambda thing: (rank[thing], *_plainness(wanted[thing]), thing))
    for thing in order:
        for candidate in _candidates(wanted[thing], rank[thing]):
            name = identifier(candidate)
            if name not in taken and name not in _RESERVED:
                break
        taken.add(name)
        found[thing] = candidate
    return {thing: found[thing] for thing in wanted}


def _plainness(parts: Key) -> tuple[int, int]:
    return (sum(len(_UNSAFE_IDENTIFIER.findall(part)) for part in parts), len(parts))


def _candidates(key: Key, rank: int) -> Iterator[Key]:
    yield key
    *above, last = [decode(part) for part in key]
    yield tuple(encode(part, is_strict=True) for part in [*above, last])
    for number in count():
        marked = [*above, f"{last}{_MARKS[rank]}{number or ''}"]
        yield tuple(encode(part, is_strict=True) for part in marked)


def tag_value(text: str) -> str:
    """Return a text as the value of a tag, which Dagster limits to 63 plain characters."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:63]
    return plain.strip("_.-") or "none"


def group_name(text: str) -> str:
    """Return a text as the name of a group."""
    return _UNSAFE_IDENTIFIER.sub("_", text) or "default"
