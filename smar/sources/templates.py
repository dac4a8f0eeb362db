"""Templates of picture paths, "images/{id}.jpg", over the columns of a feed and parts of links."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from string import Formatter
from urllib.parse import unquote, urlsplit

from smar.sources.feed_kind import find_columns, spelling

PARTS = ("name", "stem", "suffix")


class Template:
    """A template, its fields found in a feed.

    Args:
        text: Such as "images/{id}.jpg", "images/{name}" or "images/{image_link.stem}.webp".
        columns: Columns of the feed; other spellings of their names are understood.
        own: Column that "name", "stem" and "suffix" alone are parts of, unless the feed has columns
            of these names.

    Raises:
        ValueError: If a brace is not closed, or holds no name.
    """

    def __init__(self, text: str, columns: Sequence[str], own: str) -> None:
        self._pieces = list(Formatter().parse(text))
        self.parts: dict[str, tuple[str, str]] = {}
        """Field -> its column and the part of the link there, or ""."""
        self.missing: list[str] = []
        """Names of columns that the feed does not have."""
        for _, name, spec, conversion in self._pieces:
            if name is None:
                continue
            if not name or name.isdecimal() or conversion or "{" in (spec or ""):
                raise ValueError(f"expected names of columns in braces, got '{{{name}}}'")
            self.parts[name] = self._find(name, columns, own)

    def _find(self, name: str, columns: Sequence[str], own: str) -> tuple[str, str]:
        head, _, tail = name.rpartition(".")
        part = tail if tail in PARTS else ""
        candidates = [(name, ""), (head or own, part)] if part else [(name, "")]
        for column, wanted in candidates:
            same = [column] if column in columns else find_columns(columns, [spelling(column)])
            if same:
                return same[0], wanted
        self.missing.append(candidates[-1][0])
        return candidates[-1]

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text for the values of its fields; "" where one is empty.

        Raises:
            ValueError: If a value does not fit its format ("abc" in {id:05d}).
        """
        text = ""
        for before, name, spec, _ in self._pieces:
            text += before
            if name is None:
                continue
            value = values[name]
            if value == "":
                return ""
            text += format(int(value) if spec and spec.endswith("d") else value, spec or "")
        return text


def link_part(link: str, part: str) -> str:
    """Return the file name of a link, its stem or its ending; queries and escapes are no part."""
    try:
        path = urlsplit(link).path if "//" in link else link.partition("?")[0]
    except ValueError:  # such as "http://["
        path = link
    return str(getattr(PurePosixPath(unquote(path)), part))
