"""Tiny checkpoints of every family, as their makers lay them out, made here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, processors

from smar.models.efficientnet_lite import EfficientNetLiteModel
from smar.models.pretrained import Checkpoint
from smar.models.tokenizer import train_tokenizer

WORDS = ["red boot", "a novel about boots", "striped sofa", "usb c cable 2m", "query passage"]
VOCAB, HIDDEN, EDGE = 320, 24, 32
END = 319  # id of the end-of-text token of causal models
SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
WORDY: dict[str, Any] = {"vocab_size": VOCAB, "pad_token_id": 0}
PICTURE: dict[str, Any] = {"image_size": EDGE, "patch_size": 8}
TEXT_KINDS = {
    "bert": ("BertModel", SIZES | WORDY),
    "distilbert": (
        "DistilBertModel",
        {"dim": HIDDEN, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    ),
    "xlm-roberta": ("XLMRobertaModel", SIZES | WORDY),
    "mpnet": ("MPNetModel", SIZES | WORDY),
    "deberta-v2": (
        "DebertaV2Model",
        SIZES | WORDY | {"relative_attention": True, "position_biased_input": False},
    ),
    "modernbert": ("ModernBertModel", SIZES | WORDY | {"cls_token_id": 1, "sep_token_id": 1}),
    "qwen3": (
        "Qwen3Model",
        SIZES | WORDY | {"num_key_value_heads": 1, "head_dim": 12, "max_position_embeddings": 64},
    ),
    "t5": ("T5Model", WORDY | {"d_model": HIDDEN, "d_kv": 12, "num_heads": 2, "d_ff": 32}),
}
PICTURE_KINDS = {
    "vit": ("ViTModel", SIZES | PICTURE),
    "deit": ("DeiTModel", SIZES | PICTURE),
    "dinov2": ("Dinov2Model", SIZES | PICTURE),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", SIZES | PICTURE),
    "dinov3_vit": ("DINOv3ViTModel", SIZES | PICTURE | {"num_register_tokens": 3}),
    "resnet": ("ResNetModel", {"hidden_sizes": [8, HIDDEN], "depths": [1, 1], "embedding_size": 8}),
    "convnext": (
        "ConvNextModel",
        {"hidden_sizes": [8, 8, 8, HIDDEN], "depths": [1, 1, 1, 1], "image_size": EDGE},
    ),
    "swin": (
        "SwinModel",
        {
            "image_size": EDGE,
            "patch_size": 4,
            "embed_dim": 12,
            "depths": [1, 1],
            "num_heads": [2, 2],
            "window_size": 4,
        },
    ),
    "efficientnet": (
        "EfficientNetModel",
        {"image_size": EDGE, "hidden_dim": 128, "width_coefficient": 0.1, "depth_coefficient": 0.1},
    ),
}
LITE: dict[str, Any] = {
    "stem": 8,
    "hidden_size": HIDDEN,
    "stages": [(1, 3, 1, 1, 8), (2, 5, 2, 2, 8), (1, 3, 2, 2, 12)],
}
PICTURE_KINDS["efficientnet_lite"] = ("EfficientNetLiteModel", LITE)
PAIR_KINDS = ("clip", "siglip")
PREPROCESSING = {
    "size": {"height": EDGE, "width": EDGE},
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.25],
    "resample": 3,
}


def write_tokenizer(folder: Path, *, ends: bool = False) -> None:
    """Write a tokenizer of 320 ids; texts begin with [CLS], or end with the end-of-text token."""
    tokenizer: Tokenizer = train_tokenizer(WORDS * 3, 300, 64).tokenizer
    tokenizer.no_truncation()
    tokenizer.add_tokens(
        [f"word{number}" for number in range(VOCAB - 1 - tokenizer.get_vocab_size())]
    )
    tokenizer.add_special_tokens(["<end>"])
    assert tokenizer.token_to_id("<end>") == END
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="$A <end>", special_tokens=[("<end>", END)]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    content = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))


def _single(kind: str, folder: Path) -> None:
    name, sizes = {**TEXT_KINDS, **PICTURE_KINDS}[kind]
    if kind == "distilbert":
        sizes = sizes | {"vocab_size": VOCAB}
    model: Any = getattr(transformers, name, None) or EfficientNetLiteModel
    model(model.config_class(**sizes)).save_pretrained(folder)
    if kind in TEXT_KINDS:
        write_tokenizer(folder, ends=kind == "qwen3")
    else:
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))


def _pair(kind: str, folder: Path) -> None:
    text = SIZES | WORDY | {"max_position_embeddings": 32, "eos_token_id": END}
    vision = SIZES | PICTURE
    if kind == "clip":
        config: Any = transformers.CLIPConfig(
            text_config=text | {"projection_dim": 20},
            vision_config=vision | {"projection_dim": 20},
            projection_dim=20,
        )
        transformers.CLIPModel(config).save_pretrained(folder)
    else:
        text |= {"projection_size": HIDDEN}
        config = transformers.SiglipConfig(text_config=text, vision_config=vision)
        transformers.SiglipModel(config).save_pretrained(folder)
    write_tokenizer(folder, ends=True)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Checkpoint]:
    """Return a maker of checkpoints by kind; each is made once. Do not change their files."""
    root = tmp_path_factory.mktemp("backbones")

    def of(kind: str) -> Checkpoint:
        folder = root / f"{kind}.model"
        if not folder.is_dir():
            with torch.random.fork_rng():
                torch.manual_seed(len(kind))
                (_pair if kind in PAIR_KINDS else _single)(kind, folder)
        return Checkpoint(kind, folder)

    return of
