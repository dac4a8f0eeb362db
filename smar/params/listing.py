"""Every parameter with its value, default, bounds and meaning."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from smar.params.whole import Params

_BOUNDS = (
    ("minimum", ">= {}"),
    ("exclusiveMinimum", "> {}"),
    ("maximum", "<= {}"),
    ("exclusiveMaximum", "< {}"),
)


@dataclass(frozen=True)
class Entry:
    """One parameter.

    Args:
        key: Dotted key.
        value: What it is.
        default: What it is if params.yaml does not say.
        bounds: What it may be, in words.
        meaning: What it does.
    """

    key: str
    value: Any
    default: Any
    bounds: str
    meaning: str

    def as_dict(self) -> dict[str, Any]:
        """Return the entry in plain types."""
        return asdict(self)


def entries(params: Params) -> list[Entry]:
    """Return every parameter, in the order of the sections."""
    schema = Params.model_json_schema()
    values = params.model_dump(by_alias=True)
    defaults = Params().model_dump(by_alias=True)
    return list(_walk("", schema, schema.get("$defs", {}), values, defaults))


def as_text(found: list[Entry]) -> str:
    """Return the entries as lines; a value that is not the default is marked with a star."""
    lines = []
    section = ""
    width = max(len(entry.key) for entry in found)
    for entry in found:
        top = entry.key.partition(".")[0]
        if top != section and "." in entry.key:
            lines.append("")
        section = top
        star = " " if entry.value == entry.default else "*"
        shown = f"{_short(entry.value)}" + (
            f"  (default {_short(entry.default)})" if star == "*" else ""
        )
        lines.append(f"{star} {entry.key:<{width}}  {shown}")
        about = "; ".join(part for part in (entry.bounds, entry.meaning) if part)
        if about:
            lines.append(f"  {'':<{width}}    {about}")
    return "\n".join(lines).lstrip("\n") + "\n"


def _walk(
    prefix: str,
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    values: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> Iterator[Entry]:
    for name, part in schema.get("properties", {}).items():
        key = f"{prefix}{name}"
        target = definitions.get(str(part.get("$ref", "")).rpartition("/")[2])
        if target is not None and target.get("type") == "object":
            yield from _walk(f"{key}.", target, definitions, values[name], defaults[name])
        else:
            meaning = " ".join(str(part.get("description", "")).split())
            yield Entry(key, values[name], defaults[name], _bounds(part), meaning)


def _bounds(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        return " | ".join(map(str, part["enum"]))
    if "const" in part:
        return str(part["const"])
    if "anyOf" in part:
        return " | ".join(filter(None, map(_bounds, part["anyOf"])))
    limits = [form.format(f"{part[name]:g}") for name, form in _BOUNDS if name in part]
    kind = {"integer": "whole number", "number": "number", "boolean": "true | false"}.get(
        str(part.get("type")), str(part.get("type", ""))
    )
    items = part.get("items") or part.get("additionalProperties")
    if isinstance(items, Mapping) and items:
        inner = _bounds(items)
        kind = f"{'list' if part.get('type') == 'array' else 'table'} of {inner}"
    return ", ".join(filter(None, [kind, " and ".join(limits)]))


def _short(value: object) -> str:
    return '""' if value == "" else str(value)
