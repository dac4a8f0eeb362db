"""Templates filled in; every text is escaped."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from smar.replace import write_file

_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(?![0-9a-f])"
)


def render(template: str, **content: Any) -> str:
    """Return a template of `smar/pages/templates/`, filled in."""
    return _environment().get_template(template).render(**content)


def write_page(path: Path, template: str, **content: Any) -> None:
    """Write a page from a template.

    Args:
        path: The file.
        template: Name of the template.
        **content: What the template shows.
    """
    text = render(template, **content)
    with write_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def counted_ids(text: str) -> str:
    """Return a text whose random ids (UUIDs, however written) are counted in order instead.

    Libraries draw them anew whenever they write a page, which would make equal pages differ.
    """
    found: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        place = found.setdefault(match[0].replace("-", ""), len(found) + 1)
        return f"{place:0{len(match[0])}d}"

    return _UUID.sub(number, text)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("smar.pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
