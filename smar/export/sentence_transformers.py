"""The query side as a folder that sentence-transformers loads, without code of its own.

Its modules are the library's: Transformer, Pooling, two Dense and Normalize. They give
`[(1-g) Q ; g Q]` at unit length, and everything else can be had from that:

- Of a pooled state p the first Dense makes `gelu` of the gate's hidden units, of `Wp + b` and of
  `-(Wp + b)`; as `gelu(x) - gelu(-x) = x`, the second one has `x = Wp + b` again.
- The second makes `[x ; x ; -z ; z]`, z the gate's logit, and its activation is GLU:
  `[x (1 - sigmoid(z)) ; x sigmoid(z)]`, which Normalize scales to length 1.
- Both halves of that are multiples of Q, so that their lengths are to each other as 1-g and g:
  divided by the sum of both lengths it is the gated query itself.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from transformers import AutoModel

from smar.errors import ExportError
from smar.models.dual_encoder import DualEncoder
from smar.models.gate.header import Header
from smar.models.text import TextTower
from smar.models.tokenizer import TextTokenizer

_ACTIVATIONS = "torch.nn.modules.activation."
_MODULES = "sentence_transformers.models."
_POOLINGS = {"cls": "cls_token", "mean": "mean_tokens", "last": "lasttoken"}
_SURE = 1e4  # a logit whose sigmoid is 0 or 1 to the digit, and which files can hold


def write_sentence_transformer(folder: Path, model: DualEncoder, tokenizer: str) -> None:
    """Write the query side into a new folder.

    Args:
        folder: The folder.
        model: The model.
        tokenizer: Its tokenizer as JSON, normalisation of queries included.

    Raises:
        ExportError: If queries have several vectors, or the gate is more than a linear map, or two
            with GELU between them.
    """
    dense = _gated(model)
    tower: TextTower = model.query
    backbone: Any = tower.backbone
    folder.mkdir()
    backbone.config.save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(save(_complete(backbone), {"format": "pt"}))
    _write_tokenizer(folder, model.query_tokenizer, tokenizer)
    _write(
        folder / "sentence_bert_config.json", {"max_seq_length": model.query_tokenizer.max_tokens}
    )
    _write_modules(folder, tower, dense)


def _write_modules(
    folder: Path, tower: TextTower, dense: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
) -> None:
    """Write what comes behind the Transformer."""
    types = ("Transformer", "Pooling", "Dense", "Dense", "Normalize")
    names = ("", *(f"{place}_{name}" for place, name in enumerate(types[1:], start=1)))
    modules = [
        {"idx": place, "name": str(place), "path": name, "type": f"{_MODULES}{kind}"}
        for place, (name, kind) in enumerate(zip(names, types, strict=True))
    ]
    _write(folder / "modules.json", modules)
    _write(
        folder / "config_sentence_transformers.json",
        {"__version__": {}, "prompts": {}, "similarity_fn_name": "dot"},
    )
    modes = {f"pooling_mode_{mode}": tower.pooling == name for name, mode in _POOLINGS.items()}
    for name in names[1:]:
        (folder / name).mkdir()
    _write(
        folder / names[1] / "config.json",
        {"word_embedding_dimension": tower.width} | modes,
    )
    for name, activation, weight, bias in zip(names[2:4], ("GELU", "GLU"), *dense, strict=True):
        (folder / name / "model.safetensors").write_bytes(
            save({"linear.weight": weight.contiguous(), "linear.bias": bias})
        )
        _write(
            folder / name / "config.json",
            {
                "in_features": weight.shape[1],
                "out_features": len(weight),
                "bias": True,
                "activation_function": f"{_ACTIVATIONS}{activation}",
            },
        )


def _complete(backbone: Any) -> dict[str, Tensor]:
    """Return a backbone's weights, with zeros for a pooler that is loaded too and never asked.

    Raises:
        ExportError: If `transformers` makes something else of the backbone's config.
    """
    with torch.device("meta"):
        whole = AutoModel.from_config(backbone.config, trust_remote_code=False).state_dict()
    weights = {name: value.contiguous() for name, value in backbone.state_dict().items()}
    pooler = {name: torch.zeros(part.shape) for name, part in whole.items() if "pooler" in name}
    if pooler.keys() | weights.keys() != whole.keys():
        raise ExportError(
            f"a {backbone.config.model_type} that is loaded by its config has other parts than the "
            "tower"
        )
    return pooler | weights


@torch.no_grad()
def _gated(model: DualEncoder) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return weights and biases of both linear maps."""
    tower, gate = model.query, model.gate
    if tower.vectors > 1:
        raise ExportError(f"a query has {tower.vectors} vectors; the library knows one")
    if tower.padded_to or tower.pooling not in _POOLINGS:
        raise ExportError(f"the library has no pooling '{tower.pooling}' as this tower uses it")
    told = f"of '{tower.source}' are" if tower.source else "of the tower are"
    projection = _linear(
        lambda states: tower.projection(tower.head(states)), tower.width, f"the last layers {told}"
    )
    if isinstance(gate, Header):
        expand = gate.expand.weight.detach(), gate.expand.bias.detach()
        contract, level = gate.contract.weight.detach(), gate.contract.bias.detach()
    else:  # linear, or the same for every query
        slope, level = _linear(
            lambda states: gate(states)[:, None], tower.width, f"the gate '{model.options.gate}' is"
        )
        expand = torch.cat([slope, -slope]), torch.zeros(2)
        contract = torch.tensor([[1.0, -1.0]])
    weight = torch.cat([expand[0], projection[0], -projection[0]])
    bias = torch.cat([expand[1], projection[1], -projection[1]])
    hidden, dim = len(expand[0]), len(projection[0])
    one = torch.eye(dim)
    again = torch.cat([torch.zeros(dim, hidden), one, -one], dim=1)  # x of gelu(x) and gelu(-x)
    logit = torch.cat([contract, torch.zeros(1, 2 * dim)], dim=1).expand(dim, -1)
    second = torch.cat([again, again, -logit, logit])
    shift = torch.cat([torch.zeros(2 * dim), -level.expand(dim), level.expand(dim)])
    return (weight, second), (bias, shift)


def _linear(map_: Callable[[Tensor], Tensor], width: int, subject: str) -> tuple[Tensor, Tensor]:
    """Return weight [out, width] and bias [out] of a map, told by what it makes of some states.

    Raises:
        ExportError: If it is no linear map.
    """
    states = torch.cat([torch.zeros(1, width), torch.eye(width), torch.eye(width) * -3 + 1])
    made = map_(states).float().clamp(-_SURE, _SURE)
    bias, weight = made[0], made[1 : width + 1] - made[:1]
    if not torch.allclose(states @ weight + bias, made, rtol=1e-4, atol=1e-4):
        raise ExportError(f"{subject} more than a linear map")
    return weight.T.contiguous(), bias


def _write_tokenizer(folder: Path, tokenizer: TextTokenizer, content: str) -> None:
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": tokenizer.max_tokens,
            "pad_token": tokenizer.tokenizer.id_to_token(tokenizer.pad_id),
            "padding_side": "right",
        },
    )


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
