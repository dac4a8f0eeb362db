"""Multi-task pre-training on synthetic and logged queries."""

import logging
from pathlib import Path

from smar.declaration import Stage
from smar.paths import Paths

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
    ],
    writes=[
        "models/pretrained",
        "metrics/pretrain.json",
        "reports/training/pretrain.tsv",
    ],
    params=["seed", "threads", "model", "loss", "gate", "curriculum", "pretrain"],
)


def run(root: Path) -> None:
    """Train the towers on `alpha L_t + beta L_i + gamma L_m`, together or stage by stage."""
    from smar.artifacts import Manifest, write_json
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.data.text import item_texts
    from smar.models.device import place_model
    from smar.models.io import KIND, save_model
    from smar.models.retriever import build_model
    from smar.params import load_params
    from smar.seeding import seed_torch
    from smar.train.batching import PairSampler
    from smar.train.curriculum import CURRICULA
    from smar.train.kinds import check_kinds
    from smar.train.loop import finish, train
    from smar.train.prepare import (
        build_maker,
        build_tokenizers,
        places,
        read_training_data,
    )

    params = load_params(Paths(root).params)
    paths = Paths(root)
    check_kinds(
        fusion=params.model.fusion,
        loss=params.loss.kind,
        gate=params.gate.kind,
        curriculum=params.curriculum.kind,
    )
    settings = {
        "seed": params.seed,
        **{
            name: getattr(params, name).model_dump()
            for name in ("model", "loss", "curriculum", "pretrain")
        },
        "visual_categories": params.gate.visual_categories,
    }
    logger.info("pretrain: %s", settings)
    inputs = STAGE.digests(root)
    seed_torch(params.seed)
    items = schema.read_table(paths.items, schema.ITEMS)
    images = ImageStore.open(paths.images)
    data = read_training_data(
        paths,
        items,
        params.gate.visual_categories,
        with_shown=params.loss.kind == "three_part_hinge",
    )
    query_tokenizer, text_tokenizer = build_tokenizers(
        params.model, data.queries, item_texts(items)
    )
    model = build_model(
        params.model,
        query_tokenizer=query_tokenizer,
        text_tokenizer=text_tokenizer,
        picture_size=(images.height, images.width),
    )
    model = place_model(model, params.threads)
    sampler = PairSampler(
        data,
        items_per_step=params.pretrain.items_per_step,
        queries_per_item=params.pretrain.queries_per_item,
        real_frac=params.pretrain.real_frac,
        seed=params.seed,
        field_mask_frac=params.pretrain.field_mask_frac,
        misspelled_frac=params.pretrain.misspelled_frac,
    )
    where = places(paths, "pretrain", settings | inputs)
    figures = train(
        model,
        sampler,
        build_maker(model, data, items, images),
        course=CURRICULA[params.curriculum.kind](params.pretrain, params.loss, params.curriculum),
        params=params.pretrain,
        places=where,
    )
    counts = {"pairs_real": len(data.real), "pairs_synthetic": len(data.synthetic)}
    save_model(
        model,
        paths.pretrained,
        Manifest(kind=KIND, inputs=inputs, params=settings, counts=counts),
    )
    write_json(paths.metrics("pretrain"), counts | figures)
    finish(where)
