"""Verdicts and pages of an earlier run, for contracts of which nothing changed.

    .smar/validation/verdicts/CONTRACT-KEY.arrow

What a contract says of a table follows from the table's file, the files that it refers to, and the
settings. Where all of these are what they were, so is the verdict; where they are not, but pages
would show the same, so are the pages. It may be deleted at any time; what is damaged, or was judged
by other code or libraries, is judged again.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from smar.closure import PARAMS, code_key
from smar.sources.kept_by_name import KeptByName
from smar.sources.kept_tables import KeptTables
from smar.validation.verdict import CheckResult, Verdict

_MODULES = ("smar.validation.shop", "smar.validation.data_docs")
_LIBRARIES = (
    "great_expectations",
    "jinja2",
    "pandas",
    "numpy",
    "scipy",
    "pyarrow",
    "PyStemmer",
    "bm25s",
)


class KeptVerdicts:
    """Verdicts by the names of contracts.

    Args:
        folder: Where they are kept, None to keep none.
        digests: Of all that is read, by name.
        settings: All parameters of the stage, as JSON has them.
    """

    def __init__(
        self,
        folder: Path | None = None,
        digests: Mapping[str, str] = MappingProxyType({}),
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        how = "" if folder is None else code_key(_MODULES, _LIBRARIES, but=PARAMS)[:16]
        self._kept = KeptByName(folder, how)
        self._digests, self._settings = digests, dict(settings)

    def source(self, names: Iterable[str], told: str = "") -> str:
        """Return what stands for all that a frame follows from, "" if that is not known.

        Args:
            names: What it is made of, as in the digests.
            told: What else it follows from.
        """
        names = list(names)
        if any(name not in self._digests for name in names):
            return ""
        content = [{name: self._digests[name] for name in names}, self._settings, told]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def is_known(self, table: str) -> bool:
        """Return whether the columns of a table's file were judged before, all of it read."""
        return self.read(f"{table}-columns", self.source([f"data/{table}.parquet"])) is not None

    def read(self, name: str, source: str) -> Verdict | None:
        """Return the verdict of a contract, None unless it followed from the same."""
        found = self._of(name) if source else None
        if found is None or found.facts["source"] != source:
            return None
        about = found.facts
        results = [CheckResult(**result) for result in about["results"]]
        parts = (about["figures"], None, about["shown"], about["pages"], source)
        return Verdict(results, about["rows"], found.tables[0], *parts)

    def pages(self, name: str, shown: str) -> dict[str, str]:
        """Return the pages of a contract, empty unless they show the same."""
        found = self._of(name)
        is_same = found is not None and found.facts["shown"] == shown
        return dict(found.facts["pages"]) if found is not None and is_same else {}

    def _of(self, name: str) -> KeptTables | None:
        """Return what is kept of a contract, None if that of another one lies in its place."""
        found = self._kept.read(name)
        return found if found is not None and found.facts["contract"] == name else None

    def keep(self, verdicts: Mapping[str, Verdict]) -> None:
        """Keep verdicts of which the pages are written, for the next run."""
        for name, verdict in verdicts.items():
            if verdict.judged is not None:
                about = {
                    "contract": name,
                    "source": verdict.source,
                    "results": [vars(result) for result in verdict.results],
                    "rows": verdict.rows,
                    "figures": verdict.figures,
                    "shown": verdict.shown,
                    "pages": verdict.pages,
                }
                self._kept.write(name, verdict.left_out, about)
