"""Click fine-tuning with the gate."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smar.checks import Check
from smar.declaration import Stage
from smar.paths import Paths

if TYPE_CHECKING:
    import pandas as pd

    from smar.data.item_source import ItemSource
    from smar.data.searched_words import SearchedWords
    from smar.models.dual_encoder import DualEncoder
    from smar.models.pretrained import Checkpoint
    from smar.params import Params
    from smar.train.batching import BatchMaker
    from smar.train.course import Course
    from smar.train.dataset import TrainingData
    from smar.train.loop import Places
    from smar.train.sampling import PairSampler

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
        "models/pretrained",
        "backbones/${finetune.teacher.name}.model",
    ],
    writes=[
        "models/retriever",
        "reports/outcomes/finetune.json",
        "metrics/finetune.json",
        "reports/training/finetune.tsv",
    ],
    params=[
        "seed",
        "threads",
        "loss.kind",
        "loss.weights",
        "loss.${loss.kind}",
        "clicks.kind",
        "clicks.${clicks.kind}",
        "gate.kind",
        "gate.visual_categories",
        "gate.${gate.kind}",
        "finetune",
    ],
    compared=["loss"],
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
    """Train the pretrained towers and the gate on clicks.

    Without a search log the synthetic queries take the place of the clicks, so that a shop before
    its first click has a gate too.
    """
    from smar.artifacts import Manifest
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.features.source import open_source
    from smar.models.device import choose_device, place_model
    from smar.models.health import check_weights
    from smar.models.io import KIND, load_model, save_model
    from smar.models.teachers import find_teacher
    from smar.params import load_params
    from smar.params.kinds import GATES
    from smar.seeding import seed_torch
    from smar.train.benefit import settle_gate
    from smar.train.loop import finish, train
    from smar.train.precision import check_precision
    from smar.train.prepare import searched_words
    from smar.train.start import Trial, check_against_start

    paths = Paths(root)
    params = load_params(paths.params)
    settings = _settings(params)
    logger.info("finetune: %s", settings)
    check_precision({"finetune": params.finetune}, choose_device()[0])
    teacher = find_teacher(params.finetune.teacher.name, paths.backbones)
    inputs = STAGE.digests(root) | ({teacher.folder.name: teacher.digest()} if teacher else {})
    seed_torch(params.seed)
    items = schema.read_table(paths.items, schema.ITEMS)
    data = _read(params, paths, items)
    model = place_model(load_model(paths.pretrained), params.threads)
    images = open_source(paths.features, ImageStore.of(paths), model)
    searched = searched_words(data, params.finetune.searched_words)
    sampler, maker = _drawn(params, paths, model, data, items, images, teacher, searched)
    settles = GATES[params.gate.kind].facts["SETTLES"]
    if not settles:  # else the header that pre-training left is taught by the clicks meanwhile
        model.set_gate(params.gate.kind, params.gate.own.model_dump())
    where = _places(paths, params, model.options.fusion, settings | inputs)
    figures = train(
        model,
        sampler,
        maker,
        course=_course(params),
        params=params.finetune,
        places=where,
    )
    _tell(model, items, searched)
    if settles and check_weights(model.state_dict()).passed:  # else the stage stops below
        figures |= settle_gate(model, params, data, items, images, params.seed, searched)
    times = {name: figures.pop(name) for name in ("seconds", "pairs_per_s")}
    counts = {"pairs_real": len(data.real), "pairs_synthetic": len(data.synthetic)}
    end = Trial.read(paths, items, images, params.seed).recall(model) if model.start else {}
    checks = [
        check_weights(model.state_dict()),
        check_against_start(model.start, end, "finetune"),
    ]
    figures |= {f"recall_{kind}": value for kind, value in end.items()}
    content = STAGE.with_checks(paths.outcome("finetune"), counts | figures, checks)
    save_model(
        model, paths.retriever, Manifest(kind=KIND, inputs=inputs, params=settings, counts=counts)
    )
    STAGE.write_outcome(root, content)
    finish(where)
    return times


def _drawn(
    params: "Params",
    paths: Paths,
    model: "DualEncoder",
    data: "TrainingData",
    items: "pd.DataFrame",
    images: "ItemSource",
    teacher: "Checkpoint | None",
    searched: "SearchedWords | None",
) -> "tuple[PairSampler, BatchMaker]":
    """Return what draws the pairs of a step, hard negatives among them, and makes its tensors."""
    from smar.data.images import ImageStore
    from smar.train.guide import Guide
    from smar.train.mining import hard_pools, needs_guide
    from smar.train.prepare import build_maker, build_sampler
    from smar.train.teacher import read_teacher

    negatives = params.finetune.negatives
    guide = Guide.of(model, data, items, images) if needs_guide(negatives) else None
    hard = hard_pools(guide, data, negatives, params.seed)
    pictures = ImageStore.of(paths)  # a teacher has its own towers
    taught, scored = read_teacher(teacher, params.finetune.teacher, data, items, pictures)
    nearer = partial(guide.nearer, margin=negatives.margin) if guide and negatives.guided else None
    real_frac = 1.0 if len(data.real) else 0.0
    sampler = build_sampler(data, params.finetune, real_frac, params.seed + 1, [*hard, *scored])
    return sampler, build_maker(model, data, items, images, nearer, taught, searched)


def _tell(model: "DualEncoder", items: "pd.DataFrame", searched: "SearchedWords | None") -> None:
    """Let a trained model read what searches say of the items, whoever encodes them by it."""
    from smar.models.searched import Searched

    if searched is not None:
        model.searched = Searched.named(list(items["item_id"]), searched.all())


def _settings(params: "Params") -> dict[str, Any]:
    """Return the parameters that decide the weights: those of kinds not chosen are left out."""
    return {
        "seed": params.seed,
        "loss": params.loss.settings(),
        "gate": params.gate.settings(),
        "clicks": params.clicks.settings(),
        "finetune": params.finetune.settings(),
    }


def _places(paths: Paths, params: "Params", fusion: str, made_of: dict[str, Any]) -> "Places":
    """Return where the run keeps its checkpoint: one for the parts that it is made of."""
    from smar.params.kinds import CLICKS, FUSIONS, GATES, LOSSES
    from smar.train.prepare import places

    kinds = [
        FUSIONS[fusion], LOSSES[params.loss.kind], GATES[params.gate.kind],
        CLICKS[params.clicks.kind],
    ]  # fmt: skip
    return places(paths, "finetune", made_of, kinds)


def _course(params: "Params") -> "Course":
    from smar.losses import build_loss
    from smar.train.course import finetune_course

    is_learned = params.loss.weights == "learned"
    return finetune_course(params.finetune, build_loss(params.loss), is_learned=is_learned)


def _read(params: "Params", paths: Paths, items: "pd.DataFrame") -> "TrainingData":
    """Return the clicks, or the synthetic queries where there are none."""
    from smar.params.kinds import LOSSES
    from smar.train.prepare import read_training_data

    by_shown = params.finetune.negatives.impressed > 0
    data = read_training_data(
        paths,
        items,
        params.gate.visual_categories,
        params.clicks,
        with_shown=LOSSES[params.loss.kind].facts["NEEDS_SHOWN"] or by_shown,
        clicks_suffice=True,
    )
    if not len(data.real):
        logger.warning("the log has no engagement: fine-tuning on the synthetic queries")
    return data
