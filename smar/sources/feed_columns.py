"""Which column of a feed is what, by its header or by params.yaml; and what is left over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from smar.errors import DataError, list_problems, near_match
from smar.sources.feed_kind import FIELDS, LINKS, REQUIRED, FeedKind, find_columns, spelling
from smar.sources.templates import Template


@dataclass(frozen=True)
class Columns:
    """Where our columns come from.

    Args:
        sources: Our column -> columns of the feed, first the one that counts.
        templates: Our column -> its template.
        ignored: Columns of the feed that no column of ours is read from.
    """

    sources: dict[str, list[str]]
    templates: dict[str, Template] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def report(self) -> list[str]:
        """Return what is used for what and what is left over, in words."""
        uses = [f"{ours} <- {' + '.join(names)}" for ours, names in self.sources.items() if names]
        lines = [f"columns: {'; '.join(uses)}"]
        if self.ignored:
            empty = [ours for ours, names in self.sources.items() if not names]
            kept = [f"{name}{_like(name, empty)}" for name in self.ignored]
            lines.append(f"columns kept for filters alone: {'; '.join(kept)}")
        return lines


def _like(name: str, empty: list[str]) -> str:
    """Return a hint if a column that is not used looks like one of ours that has none."""
    close = get_close_matches(spelling(name), empty, n=1, cutoff=0.7)
    return f" (ingest.feed.columns.{close[0]}?)" if close else ""


def choose_columns(
    frame: pd.DataFrame, kind: FeedKind, mapping: Mapping[str, str], path: Path
) -> Columns:
    """Return which columns of a feed are what.

    Args:
        frame: The feed.
        kind: What its columns are called.
        mapping: Ours -> theirs, a template, several parted by commas (attributes), or "" for none.
        path: The feed, for messages.

    Raises:
        DataError: Lists every column that is missing or mapped wrongly, with near matches.
    """
    problems = [
        f"ingest.feed.columns.{name}: not one of our columns ({', '.join(FIELDS)})."
        f"{near_match(name, FIELDS)}"
        for name in mapping
        if name not in FIELDS
    ]
    sources: dict[str, list[str]] = {}
    templates: dict[str, Template] = {}
    for ours in FIELDS:
        wanted = mapping.get(ours)
        if wanted is None:
            sources[ours] = find_columns(frame.columns, kind.columns.get(ours, ()))
            if ours in REQUIRED and not sources[ours]:
                problems.append(f"'{ours}' is missing; map it in ingest.feed.columns")
        elif not wanted.strip():
            sources[ours] = []
            if ours in REQUIRED:
                problems.append(f"ingest.feed.columns.{ours}: cannot be switched off")
        elif "{" in wanted or "}" in wanted:
            own = find_columns(frame.columns, kind.columns.get(ours, ()))
            try:
                template = Template(wanted, list(frame.columns), own[0] if own else ours)
            except ValueError as error:
                problems.append(f"ingest.feed.columns.{ours}: '{wanted}' is no template: {error}")
                continue
            problems += _missing(template.missing, ours, frame)
            templates[ours] = template
            sources[ours] = list(dict.fromkeys(column for column, _ in template.parts.values()))
        else:
            names = wanted.split(",") if ours == "attributes" else [wanted]
            sources[ours] = _known([name.strip() for name in names], ours, frame, problems)
    if problems:
        headline = f"{path}: the columns do not fit; the feed has {', '.join(frame.columns)}:"
        raise DataError(list_problems(headline, problems))
    used = {name for names in sources.values() for name in names}
    return Columns(sources, templates, [name for name in frame.columns if name not in used])


def _known(wanted: list[str], ours: str, frame: pd.DataFrame, problems: list[str]) -> list[str]:
    """Return columns of the feed by name or by another spelling of it; notes what is missing."""
    found = []
    for name in wanted:
        same = [name] if name in frame.columns else find_columns(frame.columns, [spelling(name)])
        found += same if ours in LINKS else same[:1]
        problems += _missing([] if same else [name], ours, frame)
    return list(dict.fromkeys(found))


def _missing(names: list[str], ours: str, frame: pd.DataFrame) -> list[str]:
    return [
        f"ingest.feed.columns.{ours}: the feed has no column '{name}'."
        f"{near_match(name, frame.columns)}"
        for name in names
    ]
