"""Great Expectations' Data Docs of the suites that ran; texts from data are escaped.

Data Docs put values into pages as they are: a title with a script in it would run. So every text
of a result is escaped before it is handed over, and long lists of rows are cut.

They also load style sheets and scripts from several hosts, and without them the entry page lists
nothing. So the pages are made to stand alone: scripts and everything remote are taken out, a style
of a few lines is put in, and the entry page is one of ours.
"""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core import RunIdentifier
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from smar.pages.render import counted_ids, render
from smar.validation.checker import Checker
from smar.validation.gx_costs import rendered_once

_SITE = "site"
_MOST_VALUES = 20
_RUN = "validate"
# A report of the same data is the same bytes: no clock, and ids that are counted.
_UNDATED = datetime(2000, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"\b\d{8}T\d{6}\.\d{6}Z")
_REMOTE = re.compile(
    r"<script\b.*?</script>|<footer\b.*?</footer>|<(?:link|img)\b[^>]*https?://[^>]*>", re.DOTALL
)


@rendered_once()
def write_data_docs(folder: Path, checker: Checker) -> None:
    """Write the site of all suites that ran into a folder; index.html is its entry.

    Pages that an earlier run wrote of the same suite and outcome are taken as they are.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.add_data_docs_site(
        _SITE,
        {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder.resolve()),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    for name, verdict in checker.verdicts.items():
        if verdict.judged is None:
            continue
        suite, outcome = verdict.judged
        for result in outcome.results:
            result.result = {key: _shown(value) for key, value in result.result.items()}
        verdict.shown = _digest(suite, outcome)
        verdict.pages = checker.kept.pages(name, verdict.shown)
        if not verdict.pages:
            context.suites.add(suite)
            key = ValidationResultIdentifier(
                expectation_suite_identifier=ExpectationSuiteIdentifier(name),
                run_id=RunIdentifier(run_name=_RUN, run_time=_UNDATED),
                batch_identifier=name,
            )
            context.validation_results_store.set(key, outcome)
    context.build_data_docs(site_names=[_SITE])
    for name, verdict in checker.verdicts.items():
        if not verdict.pages:
            verdict.pages = {
                str(page.relative_to(folder)): _stand_alone(page.read_text(encoding="utf-8"))
                for page in sorted(folder.rglob(f"{name}.html"))
            }
        for place, text in verdict.pages.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text, encoding="utf-8")
    suites = [
        {
            "name": name,
            "page": next(page for page in verdict.pages if page.startswith("validations/")),
            "expectations": len(verdict.results),
            "broken": sum(not result.success for result in verdict.results),
        }
        for name, verdict in checker.verdicts.items()
    ]
    text = render("data_docs.html.j2", suites=suites)
    (folder / "index.html").write_text(text, encoding="utf-8")


def _digest(suite: Any, outcome: Any) -> str:
    """Return what stands for all that Great Expectations may put into the pages of a suite."""
    told = json.dumps([suite.to_json_dict(), outcome.to_json_dict()], sort_keys=True)
    return sha256(_steady(told).encode()).hexdigest()


def _stand_alone(text: str) -> str:
    """Return a page without scripts and without anything from another host."""
    style = render("data_docs.css.j2")
    text = _steady(_REMOTE.sub("", text))
    return text.replace("</head>", f"<style>\n{style}\n</style></head>", 1)


def _steady(text: str) -> str:
    """Return a text without the clock, its ids counted."""
    return counted_ids(_CLOCK.sub("", text))


def _shown(value: Any) -> Any:
    """Return a part of a result with short lists and escaped texts."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: _shown(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(part) for part in value[:_MOST_VALUES]]
    return value
