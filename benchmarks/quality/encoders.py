"""Models of the size of smar's own, trained from nothing, in the forms that peers load."""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Router
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

from benchmarks.quality.shop import SEED, Shop
from smar.models.tokenizer import TextTokenizer, train_tokenizer

LAYERS = 2
_WIDTH, _HEAD, _CHUNK = 192, 16, 512


class Texts:
    """Texts, tokenised once.

    Args:
        tokenizer: The tokenizer.
        texts: The texts.
    """

    def __init__(self, tokenizer: TextTokenizer, texts: Sequence[str]) -> None:
        table = tokenizer.encode(texts)
        self._ids, self._lengths = table.ids, table.lengths

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self._lengths)

    def features(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Return token ids and mask of some texts, as long as the longest of them."""
        longest = int(self._lengths[rows].max())
        ids = torch.from_numpy(self._ids[rows, :longest].astype(np.int64))
        lengths = torch.from_numpy(self._lengths[rows].astype(np.int64))
        mask = (torch.arange(longest) < lengths[:, None]).long()
        return {"input_ids": ids, "attention_mask": mask, "modality": "text"}


class Pictures:
    """The main picture of every item.

    Args:
        shop: The shop.
    """

    def __init__(self, shop: Shop) -> None:
        self._images, self.ids = shop.images, shop.main_pictures

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.ids)

    def features(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Return pixels in [-1, 1], [n, 3, H, W]; black for an item without a picture."""
        ids = self.ids[rows]
        pixels = self._images.read(np.maximum(ids, 0)).astype(np.float32) / 127.5 - 1
        pixels[ids < 0] = -1
        found = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
        return {"pixel_values": found, "modality": "image"}


class Inputs:
    """What the command line of a peer asks for, with smar's own tokenizer of the catalogue.

    Args:
        options: As `shop.arguments` gives.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.shop = Shop(options.root, options.data, options.misspelled_frac)
        self.data = self.shop.training_data()
        params = self.shop.params.model
        texts = self.shop.texts
        self.tokenizer = train_tokenizer(texts, params.vocab_size, params.text.max_tokens)
        self.queries = Texts(self.tokenizer, self.data.queries)
        self.items, self.pictures = Texts(self.tokenizer, texts), Pictures(self.shop)


def text_model(tokenizer: TextTokenizer) -> SentenceTransformer:
    """Return an untrained text encoder, mean over tokens."""
    return SentenceTransformer(modules=text_tower(tokenizer), device="cpu")


def dual_encoder(inputs: Inputs, patch: int) -> SentenceTransformer:
    """Return an untrained dual encoder of texts and pictures with unit vectors in one space."""
    size = inputs.shop.images.height, inputs.shop.images.width
    text = text_tower(inputs.tokenizer)
    return joined(text, image_tower(size, patch), inputs.shop.params.model.dim)


def joined(
    text: list[torch.nn.Module], image: list[torch.nn.Module], dim: int
) -> SentenceTransformer:
    """Return two towers in one space of unit vectors of a length."""
    towers = {"text": projected(text, dim), "image": projected(image, dim)}
    return SentenceTransformer(
        modules=[Router(towers, default_route="text"), Normalize()], device="cpu"
    )


def projected(tower: list[torch.nn.Module], dim: int) -> list[torch.nn.Module]:
    """Return a tower with a linear map to vectors of a length on top."""
    pooling: Any = tower[-1]
    width = pooling.get_embedding_dimension()
    identity = torch.nn.Identity()
    return [*tower, Dense(width, dim, bias=False, activation_function=identity)]


def vectors(model: SentenceTransformer, features: dict[str, Any]) -> torch.Tensor:
    """Return unit vectors of texts or pictures, [n, D]."""
    return torch.nn.functional.normalize(model(features)["sentence_embedding"].float(), dim=1)


def encode(model: SentenceTransformer, source: Texts | Pictures) -> NDArray[np.float32]:
    """Return the unit vectors of all texts or pictures, [N, D]."""
    return encode_rows(lambda rows: vectors(model, source.features(rows)), len(source))


@torch.inference_mode()
def encode_rows(
    vectors_of: Callable[[NDArray[np.int64]], torch.Tensor], number: int
) -> NDArray[np.float32]:
    """Return the vectors of rows 0 to number - 1, [number, D]."""
    chunks = np.array_split(np.arange(number), max(1, number // _CHUNK))
    return torch.cat([vectors_of(rows) for rows in chunks]).numpy()


def text_tower(
    tokenizer: TextTokenizer,
    layers: int = LAYERS,
    seed: int = SEED,
    *,
    width: int = _WIDTH,
    pooling: str = "mean",
) -> list[torch.nn.Module]:
    """Return an untrained text tower.

    Args:
        tokenizer: Its tokenizer.
        layers: Transformer layers.
        seed: Of its weights.
        width: Of its hidden states, a multiple of 16.
        pooling: What stands for a text, as the library names it: mean or cls.
    """
    torch.manual_seed(seed)
    model = BertModel(
        BertConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // _HEAD,
            intermediate_size=4 * width,
            max_position_embeddings=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=tokenizer.pad_id,
        )
    )
    own = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.tokenizer,
        pad_token="[PAD]",  # noqa: S106 (not a secret)
    )
    return _pooled(model, own, pooling)


def image_tower(
    size: tuple[int, int],
    patch: int,
    layers: int = LAYERS,
    seed: int = SEED,
    *,
    width: int = _WIDTH,
) -> list[torch.nn.Module]:
    """Return an untrained picture tower, mean over patches.

    Args:
        size: Height and width of the pictures, in pixels.
        patch: Side of a square patch, in pixels.
        layers: Transformer layers.
        seed: Of its weights.
        width: Of its hidden states, a multiple of 16.
    """
    torch.manual_seed(seed)
    model = ViTModel(
        ViTConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // _HEAD,
            intermediate_size=4 * width,
            image_size=size,
            patch_size=patch,
        )
    )
    sides = dict(zip(("height", "width"), size, strict=True))
    return _pooled(model, ViTImageProcessorPil(size=sides), "mean")


def _pooled(model: Any, processor: Any, pooling: str) -> list[torch.nn.Module]:
    """Return a model as sentence-transformers loads one from a folder, pooled on top."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        encoder = Transformer(folder)
    return [encoder, Pooling(model.config.hidden_size, pooling_mode=pooling)]
