"""A params.yaml of an earlier version, rewritten in today's form with its values and comments."""

from collections.abc import Mapping, MutableMapping
from io import StringIO
from pathlib import Path
from typing import Any

from smar.params.features import FeaturesParams
from smar.params.kinds import FAMILIES

# Where the value of a key of an earlier version belongs.
_MOVED = {
    "loss.temperature": ("loss.softmax.temperature", "loss.gcl.temperature"),
    "gate.weight": ("gate.category.weight",),
    "curriculum.shares": ("curriculum.staged.shares",),
    "curriculum.frozen": ("curriculum.staged.frozen",),
    "synthesize.substring_frac": ("synthesize.shares.substring",),
    "synthesize.field_frac": ("synthesize.shares.field",),
}

_NEW_SECTIONS = {"features": FeaturesParams}


def is_earlier(content: object) -> bool:
    """Return whether parameters have keys of an earlier version."""
    return any(_find(content, key) is not None for key in _MOVED)


def upgraded(text: str) -> str:
    """Return the text of a params.yaml in today's form.

    Keys that moved take their values along, and every kind that dvc.yaml could track gets an entry.
    """
    from ruamel.yaml import YAML  # only for the few who upgrade

    reader = YAML()
    reader.preserve_quotes = True
    reader.width = 120
    content = reader.load(text)
    for old, new in _MOVED.items():
        value = _find(content, old)
        if value is None:
            continue
        for key in new:
            _put(content, key, value)
        _drop(content, old)
    shares = _find(content, "synthesize.shares")
    if shares is not None and "attributes" not in shares:
        given = shares.get("substring", 0.5) + shares.get("field", 0.2)
        shares.setdefault("substring", 0.5)
        shares.setdefault("field", 0.2)
        shares["attributes"] = round(1 - given, 12)
    for family in FAMILIES:
        section = content.setdefault(family.section, {})
        for name, kind in family.kinds.items():
            if not isinstance(section.get(name), Mapping):
                section[name] = kind.params().model_dump()
    for section, own in _NEW_SECTIONS.items():  # dvc.yaml names them
        if section not in content:
            content[section] = own().model_dump()
    if "finetune" in content and "teacher" not in content["finetune"]:
        content["finetune"]["teacher"] = {"name": ""}  # as above
    buffer = StringIO()
    reader.dump(content, buffer)
    return buffer.getvalue()


def upgrade_file(path: Path) -> bool:
    """Rewrite a params.yaml, whole or not at all; return whether it changed."""
    before = path.read_text(encoding="utf-8")
    after = upgraded(before)
    if after != before:
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(after, encoding="utf-8")
        temporary.replace(path)
    return after != before


def _find(content: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return None
        content = content[part]
    return content


def _put(content: Any, key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for part in sections:
        content = content.setdefault(part, {})
    content[last] = value


def _drop(content: MutableMapping[str, Any], key: str) -> None:
    section, last = key.split(".")
    del content[section][last]
