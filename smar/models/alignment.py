"""Which towers start in one space, so that they find something before they are trained."""

from dataclasses import dataclass

from smar.models.dual_encoder import DualEncoder


@dataclass(frozen=True)
class Alignment:
    """What of a start is aligned.

    Args:
        parts: The item towers that start in the query tower's space: "text", "image".
        told: In words: what they start from, or why none does.
    """

    parts: tuple[str, ...]
    told: str


def alignment_of(model: DualEncoder) -> Alignment:
    """Return what of an untrained model is aligned.

    Towers are where they start from one model: an encoder of texts, or one of texts and pictures.
    So are all three where words and frozen pictures were aligned before the first step.
    """
    towers = {name: getattr(model, name) for name in ("query", "text", "image")}
    source = towers["query"].source
    if model.options.is_aligned:
        return Alignment(
            ("text", "image"),
            f"queries against texts and pictures of {towers['image'].source} as pretrain.start "
            "aligned them",
        )
    parts = tuple(name for name in ("text", "image") if source and towers[name].source == source)
    if not parts:
        starts = ", ".join(
            f"{name} from {each.source or 'nothing'}" for name, each in towers.items()
        )
        return Alignment((), f"the query tower shares its start with no item tower ({starts})")
    what = {"text": "texts", "image": "pictures"}
    width = towers[parts[0]].projection.in_features
    cut = f", cut to {model.dim} of its {width} numbers" if model.dim < width else ""
    return Alignment(
        parts, f"queries against {' and '.join(what[p] for p in parts)} as {source} came{cut}"
    )
