"""All that is wrong with pretrained models, at once and before any work; torch is not imported."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from smar.errors import ParamsError, list_problems
from smar.models.backbones import family_of
from smar.models.folder_files import check_weights_file, read_object, weights_of
from smar.models.layouts import layout_of
from smar.models.pretrained import Checkpoint, checkpoints
from smar.params import ImageTowerParams, ModelParams, TextTowerParams

_LONGEST = 400  # characters of another library's error
_LEAST_SHARE = 0.9  # of a model's rows that its own tokenizer uses; tables are rounded up

_PICKLED = (
    "its weights are pickled, which can run code; expected model.safetensors. Where you trust "
    "them, AutoModel.from_pretrained(NAME).save_pretrained(FOLDER) of transformers writes them "
    "so, the tokenizer or processor goes beside them in the same way, and `smar backbone NAME "
    "FOLDER` takes that in; some pages have such a copy under a --revision of its own"
)
_OTHER_LAYOUT = (
    "it is in {}'s layout: move it out of backbones/, then `smar backbone {} FOLDER` takes it in "
    "as a model of transformers"
)


def check_pretrained(params: ModelParams, backbones: Path) -> None:
    """Refuse pretrained models that cannot be used.

    Args:
        params: The section `model`.
        backbones: Folder of the pretrained models.

    Raises:
        ParamsError: Lists everything that is wrong with any of them.
    """
    problems: list[str] = []
    for tower, checkpoint in checkpoints(params, backbones).items():
        key = (
            f"model.{tower}" if getattr(params, tower).pretrained else f"model.pretrained ({tower})"
        )
        found = _problems(checkpoint, getattr(params, tower))
        problems += [f"{key}: {checkpoint.name}: {text}." for text in found]
    if problems:
        headline = f"{len(problems)} problem(s) with pretrained models; nothing was started:"
        raise ParamsError(list_problems(headline, list(dict.fromkeys(problems))))


def uses(checkpoint: Checkpoint, coming: Set[str] = frozenset()) -> list[str]:
    """Return in words what a model can be used as, with the parameters that say so.

    Args:
        checkpoint: The model.
        coming: Names of files that its folder is still to get, such as the weights of a download.

    Raises:
        ParamsError: If it can be used as nothing.
    """
    found, problems, useless = [], [], []
    shortest = TextTowerParams(max_tokens=4)  # how many a tower takes is chosen later
    for part, params in (("texts", shortest), ("pictures", ImageTowerParams())):
        wrong = _problems(checkpoint, params, coming)
        problems += [text for text in wrong if text not in problems]
        if not wrong:
            found.append(_texts(checkpoint) if part == "texts" else _pictures(checkpoint))
        else:
            useless.append(f"{part}: cannot be used: {'; '.join(wrong)}")
    if not found:
        headline = f"{checkpoint.name} cannot be used; nothing was written:"
        raise ParamsError(list_problems(headline, [f"{text}." for text in problems]))
    if len(found) > 1 and checkpoint.is_pair:
        found.append(f"texts and pictures in one space: set model.pretrained to {checkpoint.name}")
    return found + (useless if checkpoint.is_pair else [])


def usable_parts(checkpoint: Checkpoint) -> list[str]:
    """Return which parts of a model a tower can start from: "text", "vision"."""
    asked: dict[str, TextTowerParams | ImageTowerParams] = {
        "text": TextTowerParams(max_tokens=4),
        "vision": ImageTowerParams(),
    }
    return [part for part, params in asked.items() if not _problems(checkpoint, params)]


def _texts(checkpoint: Checkpoint) -> str:
    facts, sentence = checkpoint.text_facts(), checkpoint.sentence
    begins = f", queries begin with {sentence.query!r}" if sentence.query else ""
    most = f", at most {facts.positions} tokens" if facts.positions else ""
    return (
        f"texts: pooling {checkpoint.text_pooling('auto')}{most}{begins}: set "
        f"model.query.pretrained and model.text.pretrained to {checkpoint.name}"
    )


def _pictures(checkpoint: Checkpoint) -> str:
    height, width = checkpoint.picture_settings().size
    return (
        f"pictures: {height} x {width} pixels, pooling {checkpoint.picture_pooling('auto')}: set "
        f"model.image.pretrained to {checkpoint.name}, ingest.images.height to {height} and width "
        f"to {width}"
    )


def _problems(
    checkpoint: Checkpoint,
    params: TextTowerParams | ImageTowerParams,
    coming: Set[str] = frozenset(),
) -> list[str]:
    """Return what is wrong, in the order in which one would find it; empty if nothing is."""
    if found := _layout_problem(checkpoint, coming):
        return [found]
    from huggingface_hub.errors import StrictDataclassError  # of a config with odd values

    try:
        _ = checkpoint.whole
    except (OSError, ValueError, KeyError, StrictDataclassError) as error:
        return [f"transformers cannot read its config.json ({_shortened(error)})"]
    checks = _picture_checks if isinstance(params, ImageTowerParams) else _text_checks
    problems = []
    for check in checks:
        try:
            check(checkpoint, params)
        except ValueError as error:
            problems.append(_shortened(error))
            if check is checks[0]:
                break  # the others have no facts to go by
    return problems


def _layout_problem(checkpoint: Checkpoint, coming: Set[str]) -> str:
    """Return why a folder is none of a model that transformers loads from safetensors, or ""."""
    folder = checkpoint.folder
    if not folder.is_dir():
        return f"there is no folder {folder}. `smar backbone {checkpoint.name} FROM` takes one in"
    has = {path.name for path in folder.iterdir()} | coming
    if "adapter_config.json" in has:
        return (
            "the folder holds a LoRA/PEFT adapter, not a model. Merge it into its base first: "
            "peft's merge_and_unload(), then save_pretrained()"
        )
    if layout := layout_of(folder):
        return _OTHER_LAYOUT.format(layout, checkpoint.name)
    if "config.json" not in has:
        return (
            "config.json is missing; expected the layout of transformers: config.json beside "
            "model.safetensors"
        )
    try:
        return _type_problem(read_object(folder / "config.json")) or _weights_problem(folder, has)
    except ValueError as error:
        return str(error)


def _type_problem(content: Mapping[str, Any]) -> str:
    model_type = content.get("model_type", "")
    if not model_type:
        return "config.json names no model_type"
    if "auto_map" in content and family_of(model_type) is None:
        return "it needs code from where it was downloaded, and smar runs none"
    if quantized := content.get("quantization_config"):
        how = quantized.get("quant_method", "") if isinstance(quantized, dict) else ""
        return (
            f"its weights are quantized ({how or 'quantization_config'}), which nothing here reads "
            "or trains; take in the model that it was made from"
        )
    return ""


def _weights_problem(folder: Path, has: Set[str]) -> str:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = weights_of(index)
        if lost := sorted(shards - has):
            return f"shards named in its index are missing: {', '.join(lost)}"
    else:
        shards = {"model.safetensors"}
    if shards <= has:
        for name in sorted(shards):
            if (folder / name).is_file():  # else it is still to come
                check_weights_file(folder / name)
        return ""
    if any(name.endswith((".bin", ".pth", ".pt", ".ckpt")) for name in has):
        return _PICKLED
    others = sorted(name for name in has if name.endswith(".safetensors"))
    there = f"; there is {others[0]}: rename it if it is the whole model" if others else ""
    return f"model.safetensors is missing{there}"


def _is_read(checkpoint: Checkpoint, part: str) -> None:
    if checkpoint.family and (reason := checkpoint.family.refusal(checkpoint.config(part), part)):
        raise ValueError(reason)
    if part == "text":
        checkpoint.text_facts()
    else:
        checkpoint.picture_facts()


def _reads_texts(checkpoint: Checkpoint, _params: Any) -> None:
    _is_read(checkpoint, "text")


def _sees_pictures(checkpoint: Checkpoint, _params: Any) -> None:
    _is_read(checkpoint, "vision")


def _text_pooling(checkpoint: Checkpoint, params: Any) -> None:
    checkpoint.text_pooling(params.pooling)
    if checkpoint.sentence.problems:
        raise ValueError("; ".join(checkpoint.sentence.problems))


def _positions(checkpoint: Checkpoint, params: Any) -> None:
    positions = checkpoint.text_facts().positions
    if positions and params.max_tokens > positions:
        raise ValueError(
            f"max_tokens is {params.max_tokens}, but the model has {positions} positions; set it "
            f"to at most {positions}"
        )


def _tokenizer(checkpoint: Checkpoint, _params: Any) -> None:
    """Refuse a folder without a tokenizer, or with that of another model."""
    file = checkpoint.folder / "tokenizer.json"
    if not file.is_file():
        raise ValueError(
            "tokenizer.json is missing: every word would be unknown. Copy it from where the model "
            "comes from (AutoTokenizer.from_pretrained(...).save_pretrained(...) writes it)"
        )
    from tokenizers import Tokenizer

    try:
        size = Tokenizer.from_file(str(file)).get_vocab_size()
    except Exception as error:  # the library raises no other
        raise ValueError(f"tokenizer.json cannot be read ({_shortened(error)})") from error
    rows = checkpoint.config("text").vocab_size
    if size > rows or size < _LEAST_SHARE * rows:
        raise ValueError(
            f"tokenizer.json has {size} ids, the model {rows} rows of word vectors: it is the "
            "tokenizer of another model"
        )


def _picture_pooling(checkpoint: Checkpoint, params: Any) -> None:
    checkpoint.picture_pooling(params.pooling)


def _picture_size(checkpoint: Checkpoint, _params: Any) -> None:
    size, patch = checkpoint.picture_settings().size, checkpoint.picture_facts().patch
    patch = patch if isinstance(patch, int) else max(patch)
    if any(edge % patch for edge in size):
        raise ValueError(
            f"its pictures are {size[0]} x {size[1]} pixels, which patches of {patch} do not divide"
        )


_text_checks = (_reads_texts, _text_pooling, _positions, _tokenizer)
_picture_checks = (_sees_pictures, _picture_pooling, _picture_size)


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST].rstrip(".")
