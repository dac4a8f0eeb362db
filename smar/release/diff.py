"""What differs between two releases: quality, data, parameters, and the queries that moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from smar.artifacts import Manifest, read_manifest
from smar.data import schema
from smar.errors import ArtifactError
from smar.judging.judged import JudgedQueries
from smar.pages.render import write_page
from smar.params import EvaluateParams, load_params
from smar.paths import Paths
from smar.release.comparison import Comparison, compare
from smar.release.page import moved_queries, open_images, row_cells
from smar.service import registry
from smar.service.retriever import Retriever

_MOST = 8
_ABOUT_RELEASES = {"promote", "drift"}  # stages that come after what a release is made of
_ITEM_FACTS = ("title", "brand", "category", "attributes", "price", "currency")


@dataclass(frozen=True)
class ReleaseDiff:
    """The differences between two releases.

    Args:
        old: The one release.
        new: The other.
        comparison: Both on the judged queries of `new`, over shared items.
        items: Item table of `new`, by item id.
        metric: The metric of the tables.
        query_set: Which judged queries.
        params: (key, old value, new value) of every parameter that changed.
        data: (what, old, new) of every count that changed.
        origins: (what, old, new) of commits, library versions and pipeline outputs that changed.
        catalogue: Numbers of items added, removed and changed.
    """

    old: str
    new: str
    comparison: Comparison
    items: pd.DataFrame
    metric: str
    query_set: str
    params: list[tuple[str, str, str]]
    data: list[tuple[str, str, str]]
    origins: list[tuple[str, str, str]]
    catalogue: dict[str, int]


def diff_releases(root: Path, old: str, new: str) -> ReleaseDiff:
    """Return what differs between two releases; both are run on the judged queries of `new`.

    Raises:
        ReleaseError: If there is no such release.
        ArtifactError: If one of them is damaged.
    """
    manifests = [registry.read_release(root, version) for version in (old, new)]
    folders = [Paths(root).releases / version for version in (old, new)]
    params = load_params(Paths(root).params)
    retrievers = [Retriever.load(root, version) for version in (old, new)]
    judged = JudgedQueries.read(folders[1] / "judged")
    evaluate: EvaluateParams = params.evaluate
    tables = [
        schema.read_table(folder / "items.parquet", schema.ITEMS).set_index("item_id", drop=False)
        for folder in folders
    ]
    return ReleaseDiff(
        old=old,
        new=new,
        comparison=compare(retrievers[1], retrievers[0], judged, evaluate, params.seed),
        items=retrievers[1].frame(),
        metric=evaluate.primary,
        query_set=judged.name,
        params=changed(*(_flat(_yaml(folder / "params.yaml")) for folder in folders)),
        data=changed(*(_flat(dict(manifest.counts)) for manifest in manifests)),
        origins=changed(
            *(_origin(m, folder) for m, folder in zip(manifests, folders, strict=True))
        ),
        catalogue=_catalogue(*tables),
    )


def diff_text(diff: ReleaseDiff) -> str:
    """Return the differences for a terminal."""
    lines = [f"{diff.metric} on {len(diff.comparison.queries)} {diff.query_set} queries, over the"]
    lines[0] += f" {len(diff.comparison.item_ids):,} items that both have"
    lines.append(f"  {'slice':<14}{'queries':>8}{diff.old:>9}{diff.new:>9}{'points':>9}   95 %")
    for row in row_cells(diff.comparison.rows):
        cells = f"{row['queries']:>8}{row['old']:>9}{row['new']:>9}{row['gap']:>9}"
        lines.append(f"  {row['name']:<14}{cells}   {row['interval']}")
    sections: list[tuple[str, Sequence[tuple[str, str, str]]]] = [
        ("parameters", diff.params),
        ("data", diff.data),
        ("origin", diff.origins),
    ]
    for heading, entries in sections:
        lines += ["", heading if entries else f"{heading}: no difference"]
        lines += [f"  {key}: {before} -> {after}" for key, before, after in entries]
    moved = ", ".join(f"{number:,} {name}" for name, number in diff.catalogue.items())
    lines += ["", f"items: {moved}"]
    for heading, sign in (("lost most", 1), ("gained most", -1)):
        gaps = gains(diff)
        order = np.argsort(sign * gaps, kind="stable")[:_MOST]
        names = [
            f"  {100 * gaps[row]:+6.1f}  {diff.comparison.queries.texts[row]}"
            for row in order
            if sign * gaps[row] < 0
        ]
        lines += ["", heading if names else f"{heading}: none", *names]
    return "\n".join(lines) + "\n"


def write_diff_page(path: Path, root: Path, diff: ReleaseDiff) -> None:
    """Write the differences as a page, with the pictures that moved queries find."""
    groups = moved_queries(
        diff.comparison,
        diff.metric,
        diff.items,
        open_images(Paths(root)),
        (diff.old, diff.new),
        _MOST,
    )
    sections = [("Parameters", diff.params), ("Data", diff.data), ("Origin", diff.origins)]
    write_page(
        path,
        "diff.html.j2",
        diff=diff,
        rows=row_cells(diff.comparison.rows),
        sections=sections,
        groups=groups,
    )


def gains(diff: ReleaseDiff) -> Any:
    """Return new - old of the metric, one value per query."""
    values = diff.comparison.values
    return values["new"][diff.metric] - values["old"][diff.metric]


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (key, old, new) of what differs between two flat mappings; a missing key is "-"."""
    keys = sorted({*old, *new})
    texts = [(key, *(str(side.get(key, "-")) for side in (old, new))) for key in keys]
    return [(key, before, after) for key, before, after in texts if before != after]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ArtifactError(
            f"{file}: cannot be read ({error}). `smar verify` tells what is damaged."
        ) from error
    return content if isinstance(content, dict) else {}


def _origin(manifest: Manifest, folder: Path) -> dict[str, str]:
    """Return where a release comes from: commit, libraries, code, and what every stage made."""
    found = {"git commit": manifest.git_commit[:12]}
    found |= {f"library {name}": number for name, number in manifest.versions.items()}
    model = read_manifest(folder / "model", "model")
    found |= {f"model, made from {path}": sha[:12] for path, sha in model.inputs.items()}
    made = manifest.details.get("provenance", {}).get("models/retriever", {})
    by = made.get("versions", model.versions)
    found |= {f"model, made by {name}": number for name, number in by.items()}
    lock = folder / "dvc.lock"
    stages = _yaml(lock).get("stages", {}) if lock.is_file() else {}
    for stage, content in stages.items():
        if stage in _ABOUT_RELEASES:
            continue
        for dep in content.get("deps", []):
            if dep["path"].startswith("smar/"):  # many stages read one file
                found[f"code {dep['path']}"] = str(dep.get("md5", ""))[:8]
        for out in content.get("outs", []):
            if not out["path"].startswith("metrics/"):
                found[f"{stage}: output {out['path']}"] = str(out.get("md5", ""))[:8]
    return found


def _catalogue(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, int]:
    both = old.index.intersection(new.index)
    facts = list(_ITEM_FACTS)
    before, after = old.loc[both, facts], new.loc[both, facts]
    differs = ((before != after) & ~(before.isna() & after.isna())).any(axis=1)
    return {
        "added": len(new) - len(both),
        "removed": len(old) - len(both),
        "changed": int(differs.sum()),
    }
