"""Files of a pretrained model's folder, read as far as needed to say what is wrong with them."""

import json
from pathlib import Path
from typing import Any

_LENGTH = 8  # bytes of a safetensors file that say how long its header is
_LONGEST = 100_000_000  # bytes of a header that safetensors reads
_POINTER = b"version https://git-lfs"


def read_object(file: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        ValueError: If it holds something else; names the file.
    """
    content = read_json(file)
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ValueError(f"{file.name} holds a {kind}, expected an object")  # noqa: TRY004 - a file, not a caller
    return content


def read_json(file: Path) -> Any:
    """Return the JSON of a file.

    Raises:
        ValueError: If it is none; names the file.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file.name} is not JSON ({error})") from error


def weights_of(index: Path) -> set[str]:
    """Return the names of the files that an index of shards names.

    Raises:
        ValueError: If it is no such index.
    """
    shards = read_object(index).get("weight_map")
    if not isinstance(shards, dict):
        raise ValueError(  # noqa: TRY004 - a file that says something else, as above
            f"{index.name} has no weight_map, which says where each weight lies"
        )
    return {str(name) for name in shards.values()}


def check_weights_file(file: Path) -> None:
    """Refuse a safetensors file that is not whole, by its header and its size.

    A file is 8 bytes that say how long its header is (n), n bytes of JSON, then the numbers.

    Raises:
        ValueError: If it is none, or was cut off.
    """
    size = file.stat().st_size
    with file.open("rb") as content:
        first = content.read(len(_POINTER))
        if first == _POINTER:
            raise ValueError(
                f"{file.name} is a pointer of git-lfs and not the weights: `git lfs pull` gets them"
            )
        length = int.from_bytes(first[:_LENGTH], "little")
        if size < _LENGTH or length > min(_LONGEST, size - _LENGTH):
            raise ValueError(f"{file.name} ({size:,} bytes) is no safetensors file, or is cut off")
        content.seek(_LENGTH)
        header = content.read(length)
    try:
        entries = json.loads(header)
        ends = [value["data_offsets"][1] for key, value in entries.items() if key != "__metadata__"]
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"{file.name} is no safetensors file: its header is not read") from error
    whole = _LENGTH + length + max(ends, default=0)
    if size != whole:
        raise ValueError(
            f"{file.name} has {size:,} bytes, its header says {whole:,}: it was not copied whole"
        )
