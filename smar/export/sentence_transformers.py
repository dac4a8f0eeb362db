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
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from transformers import AutoModel

from smar.errors import ExportError
from smar.models.dual_encoder import DualEncoder
from smar.models.gate.constant import Constant
from smar.models.gate.header import Header
from smar.models.text import TextTower
from smar.models.tokenizer import TextTokenizer

_ACTIVATIONS = "torch.nn.modules.activation."
_MODULES = "sentence_transformers.models."
_SURE = 1e4  # a logit whose sigmoid is 0 or 1 to the digit, and which files can hold


def write_sentence_transformer(folder: Path, model: DualEncoder, tokenizer: str) -> None:
    """Write the query side into a new folder.

    Args:
        folder: The folder.
        model: The model.
        tokenizer: Its tokenizer as JSON, normalisation of queries included.

    Raises:
        ExportError: If queries have several vectors, or the gate is not made of a linear map, GELU
            and another linear map.
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
    modes = {"cls_token": tower.pooling == "cls", "mean_tokens": tower.pooling == "mean"}
    width = tower.projection.in_features
    for name in names[1:]:
        (folder / name).mkdir()
    _write(
        folder / names[1] / "config.json",
        {"word_embedding_dimension": width}
        | {f"pooling_mode_{mode}": is_on for mode, is_on in modes.items()},
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
    """Return a backbone's weights, and zeros for a pooler that the library builds and never asks.

    It would warn of weights that are missing.
    """
    with torch.device("meta"):
        whole = AutoModel.from_config(backbone.config).state_dict()
    weights = {name: torch.zeros(value.shape) for name, value in whole.items()}
    weights |= {name: value.contiguous() for name, value in backbone.state_dict().items()}
    return weights


def _gated(model: DualEncoder) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return weights and biases of both linear maps."""
    if model.query.vectors > 1:
        raise ExportError(f"a query has {model.query.vectors} vectors; the library knows one")
    expand, contract, logit = _header(model)
    projection = model.query.projection.weight.detach(), model.query.projection.bias.detach()
    weight = torch.cat([expand[0], projection[0], -projection[0]])
    bias = torch.cat([expand[1], projection[1], -projection[1]])
    hidden, dim = len(expand[0]), len(projection[0])
    one = torch.eye(dim)
    again = torch.cat([torch.zeros(dim, hidden), one, -one], dim=1)  # x of gelu(x) and gelu(-x)
    gate = torch.cat([contract, torch.zeros(1, 2 * dim)], dim=1).expand(dim, -1)
    second = torch.cat([again, again, -gate, gate])
    shift = torch.cat([torch.zeros(2 * dim), -logit.expand(dim), logit.expand(dim)])
    return (weight, second), (bias, shift)


def _header(model: DualEncoder) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Return the gate's first map, the second one's weights [1, hidden], and its bias [1]."""
    gate, width = model.gate, model.query.projection.in_features
    if isinstance(gate, Constant):
        logit = torch.tensor([gate.logit]).clamp(-_SURE, _SURE)
        return (torch.zeros(0, width), torch.zeros(0)), torch.zeros(1, 0), logit
    if not isinstance(gate, Header):
        raise ExportError(f"the gate '{model.options.gate}' is more than two linear maps")
    expand = gate.expand.weight.detach(), gate.expand.bias.detach()
    return expand, gate.contract.weight.detach(), gate.contract.bias.detach()


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
