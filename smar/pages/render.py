"""Templates filled in; every text is escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from smar.replace import write_file


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


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("smar.pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
