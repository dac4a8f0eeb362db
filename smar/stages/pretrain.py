"""Multi-task pre-training on synthetic and logged queries."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from smar.data.images import ImageStore
    from smar.data.item_source import ItemSource
    from smar.models.dual_encoder import DualEncoder
    from smar.models.pretrained import Checkpoint
    from smar.params import Params

logger = logging.getLogger(__name__)

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/accepted/queries.parquet",
        "data/accepted/searches.parquet",
        "data/accepted/engagements.parquet",
        "data/images",
        "data/synthetic",
        "data/features",
        "backbones/${model.pretrained}.model",
        "backbones/${model.query.pretrained}.model",
        "backbones/${model.text.pretrained}.model",
        "backbones/${model.image.pretrained}.model",
    ],
    writes=[
        "models/start",
        "models/pretrained",
        "reports/outcomes/pretrain.json",
        "metrics/pretrain.json",
        "reports/training/pretrain.tsv",
    ],
    params=[
        "seed",
        "threads",
        "model",
        "features",
        "fusion.${model.fusion}",
        "loss.kind",
        "loss.weights",
        "loss.${loss.kind}",
        "gate.visual_categories",
        "clicks.kind",
        "clicks.${clicks.kind}",
        "curriculum.kind",
        "curriculum.${curriculum.kind}",
        "pretrain",
    ],
    compared=["loss"],
    unused_kinds=["gate"],
    in_ranks=True,
    checks={
        "weights_are_finite": Check(text="Every weight of the model is a number."),
        "not_worse_than_its_start": Check(
            text="The vectors of a pretrained start find as much on held-out queries after "
            "training as before it; words count for nothing here.",
            blocking=False,
        ),
    },
)


def run(root: Path) -> dict[str, float]:
    """Train the towers on `alpha L_t + beta L_i + gamma L_m`, together or stage by stage."""
    from smar.artifacts import Manifest
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.kept_files import held
    from smar.losses import build_loss
    from smar.models.health import check_weights
    from smar.models.io import KIND, prove_round_trip, save_model
    from smar.models.pretrained import checkpoints
    from smar.params import load_params
    from smar.params.kinds import CLICKS, CURRICULA, LOSSES
    from smar.seeding import seed_torch
    from smar.train.curricula import build_course
    from smar.train.loop import finish, train
    from smar.train.prepare import build_maker, build_sampler, places, read_training_data
    from smar.train.start import Trial, check_against_start

    params = load_params(Paths(root).params)
    paths = Paths(root)
    settings = _settings(params)
    logger.info("pretrain: %s", settings)
    _refuse(params, paths)
    starts = checkpoints(params.model, paths.backbones)
    inputs = STAGE.digests(root) | {start.folder.name: start.digest() for start in starts.values()}
    seed_torch(params.seed)
    items = schema.read_table(paths.items, schema.ITEMS)
    pictures = ImageStore.of(paths)
    with_shown = LOSSES[params.loss.kind].facts["NEEDS_SHOWN"]
    data = read_training_data(
        paths, items, params.gate.visual_categories, params.clicks, with_shown=with_shown
    )
    model = build_untrained(params, data.queries, items, (pictures.height, pictures.width), starts)
    images = _source(paths, params, model, items, pictures)
    with held(paths.work / "round_trip"):  # another pipeline of the project may be as far
        prove_round_trip(model, paths.work / "round_trip" / "model")
    _save_start(paths, model, inputs)
    kinds = [
        params.fusion_kind, LOSSES[params.loss.kind], CURRICULA[params.curriculum.kind],
        CLICKS[params.clicks.kind],
    ]  # fmt: skip
    where = places(paths, "pretrain", settings | inputs, kinds)
    is_learned = params.loss.weights == "learned"
    loss = build_loss(params.loss)
    trial = Trial.read(paths, items, images, params.seed) if starts else None
    model.start = trial.recall(model) if trial else {}
    figures = train(
        model,
        build_sampler(data, params.pretrain, params.pretrain.real_frac, params.seed),
        build_maker(model, data, items, images),
        course=build_course(params.pretrain, loss, params.curriculum, is_learned=is_learned),
        params=params.pretrain,
        places=where,
    )
    times = {name: figures.pop(name) for name in ("seconds", "pairs_per_s")}
    counts = {"pairs_real": len(data.real), "pairs_synthetic": len(data.synthetic)}
    end = trial.recall(model) if trial else {}
    found = [
        check_weights(model.state_dict()),
        check_against_start(model.start, end, "pretrain"),
    ]
    figures |= {f"recall_{kind}": value for kind, value in end.items()}
    content = STAGE.with_checks(paths.outcome("pretrain"), counts | figures, found)
    manifest = Manifest(kind=KIND, inputs=inputs, params=settings, counts=counts)
    save_model(model, paths.pretrained, manifest)
    STAGE.write_outcome(root, content)
    finish(where)
    return times


def _refuse(params: "Params", paths: Paths) -> None:
    """Refuse what could not be done here, before anything is read."""
    from smar.models.device import choose_device
    from smar.models.pretrained_checks import check_pretrained
    from smar.train.precision import check_precision

    check_precision({"pretrain": params.pretrain}, choose_device()[0])
    check_pretrained(params.model, paths.backbones)


def _source(
    paths: Paths,
    params: "Params",
    model: "DualEncoder",
    items: "pd.DataFrame",
    pictures: "ImageStore",
) -> "ItemSource":
    """Return where the item towers take items from, with the model aligned if it is to be."""
    import numpy as np

    from smar.features.source import open_source
    from smar.train.aligned import align

    source = open_source(paths.features, pictures, model)
    if (start := params.pretrain.start) != "random":
        by_contrast = start == "contrasted"
        align(model, items, source, np.empty(0, np.int64), by_contrast=by_contrast)
    return source


def _save_start(paths: Paths, model: "DualEncoder", inputs: dict[str, str]) -> None:
    """Keep the model as it is before training, or why it finds nothing yet."""
    from smar.artifacts import Manifest, write_directory
    from smar.models.alignment import alignment_of
    from smar.models.io import KIND, save_model

    found = alignment_of(model)
    if found.parts:
        save_model(model, paths.start, Manifest(kind=KIND, inputs=inputs))
        return
    with write_directory(paths.start, Manifest(kind="no start", details={"reason": found.told})):
        pass


def _settings(params: "Params") -> dict[str, Any]:
    """Return the parameters that decide the weights: those of kinds not chosen are left out."""
    return {
        "seed": params.seed,
        "model": params.model.model_dump(),
        "features": params.features.model_dump(),
        "fusion": params.fusion.of(params.model.fusion).model_dump(),
        "loss": params.loss.settings(),
        "curriculum": params.curriculum.settings(),
        "clicks": params.clicks.settings(),
        "pretrain": params.pretrain.settings(),
        "visual_categories": params.gate.visual_categories,
    }


def build_untrained(
    params: "Params",
    queries: "Sequence[str]",
    items: "pd.DataFrame",
    picture_size: tuple[int, int],
    starts: "Mapping[str, Checkpoint]",
) -> "DualEncoder":
    """Return the model before its first step; tokenizers are of the shop's own words.

    Those of towers that start from a pretrained model are that model's.
    """
    from smar.data.text import item_texts
    from smar.models.device import place_model
    from smar.models.dual_encoder import build_model
    from smar.train.prepare import build_tokenizers

    of_query, of_text = build_tokenizers(params.model, queries, item_texts(items), starts)
    model = build_model(
        params.model,
        params.fusion,
        query_tokenizer=of_query,
        text_tokenizer=of_text,
        picture_size=picture_size,
        starts=starts,
        features=params.features,
    )
    return place_model(model, params.threads)
