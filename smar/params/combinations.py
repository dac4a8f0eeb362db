"""Combinations of parameters that make no sense, with the reason and what to do about it.

Each section checks itself and each kind what goes with it; here is what only shows across sections.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smar.errors import near_match
from smar.params import names
from smar.params.kinds import CLICKS, CURRICULA, GATES, LOSSES

if TYPE_CHECKING:
    from smar.params import Params


def senseless(params: "Params") -> list[str]:
    """Return what is wrong with a combination of valid sections; empty if nothing is."""
    kinds = (
        params.fusion_kind,
        LOSSES[params.loss.kind],
        GATES[params.gate.kind],
        CURRICULA[params.curriculum.kind],
        CLICKS[params.clicks.kind],
    )
    of_kinds = [problem for kind in kinds for problem in kind.senseless(params)]
    return [
        *of_kinds,
        *_towers(params),
        *_tasks(params),
        *_start(params),
        *_shared_tower(params),
        *_metrics(params),
        *_log(params),
        *_index(params),
    ]


def _towers(params: "Params") -> Iterator[str]:
    for name in ("query", "text", "image"):
        tower = getattr(params.model, name)
        if params.model.source_of(name):
            yield from _frozen(params, name)
            continue
        if tower.unfreeze != "all":
            yield (
                f"model.{name}.unfreeze: {tower.unfreeze!r} without a pretrained model: what "
                "starts from nothing has to be trained. Set it to all, or name a model in "
                f"model.{name}.pretrained"
            )
        if tower.hidden % tower.heads:
            yield (
                f"model.{name}.heads: {tower.heads} heads do not divide model.{name}.hidden, "
                f"{tower.hidden}"
            )
        if tower.pooling == "own":
            yield (
                f"model.{name}.pooling: 'own' without a pretrained model, which alone pools by "
                "itself; set it to auto"
            )
    image, size = params.model.image, params.ingest.images
    if not params.model.source_of("image"):
        for side, pixels in (("height", size.height), ("width", size.width)):
            if pixels % image.patch:
                yield (
                    f"model.image.patch: patches of {image.patch} pixels do not divide "
                    f"ingest.images.{side}, {pixels}"
                )


def _frozen(params: "Params", name: str) -> Iterator[str]:
    """Yield what a frozen tower cannot do."""
    tower = getattr(params.model, name)
    if tower.unfreeze != "none":
        return
    if name == "image" and tower.hidden % tower.heads:
        yield (
            f"model.image.heads: {tower.heads} heads do not divide model.image.hidden, "
            f"{tower.hidden}, of the layers that learn from the frozen model"
        )
    for stage in ("pretrain", "finetune"):
        if name == "image" and getattr(params, stage).augment.changes:
            yield (
                f"{stage}.augment: above 0 with model.image.unfreeze 'none': a frozen model sees "
                "every picture once, as it is. Set one of them back"
            )
        for mask in ("field_mask_frac", "word_mask_frac") if name == "text" else ():
            if getattr(getattr(params, stage), mask):
                yield (
                    f"{stage}.{mask}: above 0 with model.text.unfreeze 'none': a frozen model "
                    "reads every text once, as a whole. Set one of them back"
                )

    if name == "text" and params.finetune.searched_words:
        yield (
            f"finetune.searched_words: {params.finetune.searched_words} with model.text.unfreeze "
            "'none': a frozen model reads every text once, as it came. Set one of them back"
        )


def _tasks(params: "Params") -> Iterator[str]:
    tasks = params.pretrain
    weights = [w for w in (tasks.alpha, tasks.beta, tasks.gamma) if w > 0]
    if not weights:
        yield "pretrain: alpha, beta and gamma are all 0: there is nothing to train"
    if params.loss.weights == "learned" and len(weights) == 1 and not tasks.alignment:
        yield (
            "loss.weights: 'learned' with a single task above 0 among pretrain.alpha, beta and "
            "gamma: there is nothing to weigh it against. Set loss.weights to fixed"
        )
    clicks, gate = params.finetune, params.gate.kind
    if not (clicks.gated or clicks.alpha or clicks.beta or clicks.gamma):
        yield "finetune: gated, alpha, beta and gamma are all 0: there is nothing to train"
    if not clicks.gated and GATES[gate].facts["TAUGHT"]:
        yield (
            f"finetune.gated: 0 with gate.kind '{gate}', which the gated loss teaches. Set it "
            "above 0, or choose a gate that is fitted when the towers are trained: benefit"
        )
    for name in ("pretrain", "finetune"):
        weight = getattr(params, name).alignment
        if weight and not params.fusion_kind.facts["SEES_PICTURES"]:
            yield (
                f"{name}.alignment: {weight} with model.fusion '{params.model.fusion}': it aligns "
                "texts with pictures, which this model does not look at. Set it to 0, or choose "
                "another fusion"
            )
    if tasks.alignment and params.curriculum.kind == "staged":
        yield (
            f"pretrain.alignment: {tasks.alignment} with curriculum.kind 'staged', which has a "
            "stage of its own for it. Set it to 0, or curriculum.kind to joint"
        )


def _start(params: "Params") -> Iterator[str]:
    """Yield what keeps words and pictures from starting aligned."""
    if params.pretrain.start == "random":
        return
    model, start = params.model, params.pretrain.start
    if not model.source_of("image") or model.image.unfreeze != "none" or model.image.layers:
        yield (
            f"pretrain.start: {start!r} with model.image.unfreeze {model.image.unfreeze!r} and "
            f"layers {model.image.layers}: it sets the MLP over a frozen pretrained model. Name "
            "one in model.image.pretrained with unfreeze none and layers 0, or set it to random"
        )
    texts = [name for name in ("query", "text") if model.source_of(name)]
    if texts or not model.shared_words or model.query_vectors.count > 1:
        told = f"{' and '.join(texts)} pretrained, " if texts else ""
        yield (
            f"pretrain.start: {start!r} with {told}shared_words {model.shared_words} and "
            f"query_vectors.count {model.query_vectors.count}: it sets the one table of words that "
            "both text towers from nothing share, for one vector a query. Set it to random, or "
            "change those"
        )


def _shared_tower(params: "Params") -> Iterator[str]:
    if params.model.shared_tower and params.curriculum.kind == "staged":
        yield (
            "model.shared_tower: true with curriculum.kind 'staged', which freezes the query tower "
            "while the text tower learns. Set it to false, or curriculum.kind to joint"
        )
    if params.model.shared_tower and params.pretrain.start != "random":
        yield (
            f"model.shared_tower: true with pretrain.start {params.pretrain.start!r}, which gives "
            "each text tower a projection of its own. Set one of them to its default"
        )


def _metrics(params: "Params") -> Iterator[str]:
    computed = [f"{name}@{k}" for name in names.metrics() for k in params.evaluate.cutoffs]
    named = [("evaluate.primary", params.evaluate.primary)]
    named += [("promote.guard", name) for name in params.promote.guard]
    for key, name in named:
        if name not in computed:
            yield (
                f"{key}: '{name}' is not computed; expected one of {', '.join(computed)}."
                f"{near_match(name, computed)}"
            )


def _index(params: "Params") -> Iterator[str]:
    if params.index.dim > params.model.dim:
        yield (
            f"index.dim: {params.index.dim} is above model.dim, {params.model.dim}, the length of "
            "an embedding; expected 0 for all of it, or fewer"
        )


def _log(params: "Params") -> Iterator[str]:
    if params.finetune.negatives.impressed and params.log_kind != "ubi":
        yield (
            f"finetune.negatives.impressed: above 0 with ingest.log.kind '{params.log_kind}': only "
            "a ubi log says what was shown. Set it to 0, or mine negatives"
        )
