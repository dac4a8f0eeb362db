"""The runs of a study: stages of the pipeline in folders of their own."""

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from smar.artifacts import Manifest, write_directory, write_json
from smar.data import schema
from smar.errors import ParamsError, near_match
from smar.params import load_params
from smar.params.ingest import DemoParams
from smar.paths import Paths
from smar.running import run_stage
from smar.seeding import generator
from studies.paths import StudyPaths
from studies.plan import PicturePlan, Settings, StudyPlan, apply_settings
from studies.second_views import write_second_views

KIND_DATA, KIND_RESULT = "study-data", "study-result"
_PREPARE = ("ingest", "validate")
_RUN = ("synthesize", "features", "pretrain", "finetune", "embed", "index", "evaluate")

logger = logging.getLogger(__name__)


def prepare(root: Path, plan: StudyPlan, data: str) -> None:
    """Ingest and validate one form of the data, once for all its runs.

    Writes:
        studies/data/<data>/
    """
    chosen = plan.data[_known(data, plan.data, "data")]
    params = run_params(root, plan.base, chosen.settings)
    params["ingest"]["folder"] = str((root / params["ingest"]["folder"]).resolve())
    folder = StudyPaths(root).data(data)
    manifest = Manifest(kind=KIND_DATA, params=chosen.model_dump())
    with write_directory(folder, manifest) as part:
        if chosen.pictures.turned_frac:
            _write_turned(part / "raw", params, chosen.pictures.turned_frac)
        _write_params(part, params)
        _run_stages(part, _PREPARE)
        shutil.rmtree(part / "raw", ignore_errors=True)
        if any(chosen.pictures.model_dump().values()):
            _spoil_pictures(Paths(part).items, chosen.pictures, params["seed"])
        shutil.rmtree(Paths(part).work, ignore_errors=True)


def run(root: Path, plan: StudyPlan, data: str, variant: str, seed: int) -> None:
    """Train and measure one variant on prepared data; an interrupted run goes on.

    Reads:
        studies/data/<data>/
    Writes:
        studies/results/<data>/<variant>/<seed>/
    """
    settings = plan.variants[_known(variant, plan.variants, "variant")]
    chosen = plan.data[_known(data, plan.data, "data")]
    prepared = StudyPaths(root).data(data)
    if not prepared.is_dir():
        raise ParamsError(f"{prepared}: not found. First run: smar study prepare {data}")
    params = run_params(root, plan.base, chosen.settings, settings, {"seed": seed})
    folder = Paths(root).work / "study" / f"{data}-{variant}-{seed}"
    link_data(prepared, folder)
    link_backbones(root, folder)
    _write_params(folder, params)
    times = _run_stages(folder, _RUN)
    done = Paths(folder)
    figures = {name: json.loads(done.outcome(name).read_text()) | times[name] for name in _RUN[1:]}
    run_id = {"data": data, "variant": variant, "seed": seed}
    manifest = Manifest(kind=KIND_RESULT, params=run_id | {"settings": settings})
    with write_directory(StudyPaths(root).result(data, variant, seed), manifest) as part:
        write_json(part / "metrics.json", run_id | figures)
        shutil.copy(done.evaluation_report / "per_query.parquet", part)
        shutil.copytree(done.history("pretrain").parent, part / "training")
    shutil.rmtree(folder)


def run_params(root: Path, *settings: Settings) -> dict[str, Any]:
    """Return the parameters of the project with settings put in, later ones over earlier ones."""
    params = yaml.safe_load(Paths(root).params.read_text(encoding="utf-8"))
    return apply_settings(params, *settings)


def _write_params(folder: Path, params: dict[str, Any]) -> None:
    """Write params.yaml and refuse bad settings before any work."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Paths(folder).params
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    load_params(path)


def _run_stages(folder: Path, stages: Sequence[str]) -> dict[str, dict[str, float]]:
    """Run stages and return the times of each."""
    return {stage: run_stage(stage, folder) for stage in stages}


def link_data(prepared: Path, folder: Path) -> None:
    """Link the prepared tables and pictures; what the run makes lies beside them."""
    target = Paths(folder).data
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(Paths(prepared).data.iterdir()):
        link = target / source.name
        if not link.is_symlink():
            link.symlink_to(source.resolve(), target_is_directory=source.is_dir())


def link_backbones(root: Path, folder: Path) -> None:
    """Link the pretrained models that the project has, if it has any."""
    source, link = Paths(root).backbones, Paths(folder).backbones
    if source.is_dir() and not link.is_symlink():
        link.symlink_to(source.resolve(), target_is_directory=True)


def _write_turned(raw: Path, params: dict[str, Any], frac: float) -> None:
    """Write a demo shop with items turned round, and let the parameters read it as a feed."""
    ingest = params["ingest"]
    write_second_views(raw, DemoParams.model_validate(ingest["demo"]), params["seed"], frac)
    ingest |= {"source": "feed", "folder": str(raw.resolve())}


def _spoil_pictures(path: Path, plan: PicturePlan, seed: int) -> None:
    """Exchange pictures between items, put the same one everywhere, leave further ones out."""
    items = schema.read_table(path, schema.ITEMS)
    own = [ids[: plan.max_per_item] for ids in items["image_ids"]]
    pictured = np.flatnonzero([len(ids) > 0 for ids in own])
    order = generator(seed, "wrong pictures").permutation(pictured)
    wrong, rest = np.split(order, [round(plan.wrong_frac * len(pictured))])
    pictures = list(own)
    for row, other in zip(wrong, np.roll(wrong, 1), strict=True):
        pictures[row] = own[other]
    for row in rest[: round(plan.generic_frac * len(rest))]:
        pictures[row] = own[pictured[0]]
    schema.write_table(path, items.assign(image_ids=pictures), schema.ITEMS)


def _known(name: str, choices: dict[str, Any], kind: str) -> str:
    if name not in choices:
        raise ParamsError(
            f"study: unknown {kind} '{name}'; expected one of {', '.join(choices)}."
            f"{near_match(name, choices)}"
        )
    return name
