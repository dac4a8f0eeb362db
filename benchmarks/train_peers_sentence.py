"""sentence-transformers' trainer over copies of smar's towers."""

import copy
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.modules import Dense, Normalize, Router
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    PreTrainedTokenizerFast,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    ViTImageProcessorPil,
)
from transformers.models.vit.modeling_vit import ViTAttention

from smar.models.dual_encoder import DualEncoder
from smar.models.text import TextTower
from smar.models.tokenizer import TextTokenizer

_TEMPERATURE = 0.07
_TEXTS = ("anchor", "positive")

Pictures = Callable[[NDArray[np.int64]], Tensor]


def ready(pixels: NDArray[np.uint8]) -> Pictures:
    """Return pictures [N, height, width, 3] as tensors in [-1, 1], without any library."""
    return lambda rows: torch.from_numpy(
        pixels[rows].astype(np.float32) / np.float32(127.5) - np.float32(1)
    ).permute(0, 3, 1, 2)


def processed(pixels: NDArray[np.uint8]) -> Pictures:
    """Return pictures as the library's processor makes them of Pillow's, as it does by itself."""
    height, width = pixels.shape[1:3]
    processor: Any = ViTImageProcessorPil(size={"height": height, "width": width})

    def pictures(rows: NDArray[np.int64]) -> Tensor:
        images = [Image.fromarray(pixels[row]) for row in rows]
        found: Tensor = processor(images=images, return_tensors="pt")["pixel_values"]
        return found

    return pictures


class _Picture(nn.Module):
    """A copy of smar's picture tower in Torch's layers, called as the library calls a module."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower: Any = copy.deepcopy(tower)
        for layer in self.tower.modules():
            for kind in (nn.Linear, nn.Conv2d, ViTAttention):
                if isinstance(layer, kind):
                    layer.__class__ = kind

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the features with the embedding of each picture."""
        tower = self.tower
        states = tower.backbone(pixel_values=features["pixel_values"]).last_hidden_state
        pooled = states[:, tower.prefix :].mean(1)
        return {"sentence_embedding": functional.normalize(tower.projection(pooled), dim=-1)}


class _Loss(nn.Module):
    """The library's loss of queries against titles, and against pictures, of one encoding each.

    Args:
        model: Of the texts.
        picture: Of the pictures.
        is_one: Whether there is a single loss, against the mean of both.
    """

    def __init__(self, model: SentenceTransformer, picture: nn.Module, *, is_one: bool) -> None:
        super().__init__()
        self.model, self.picture, self.is_one = model, picture, is_one
        self.loss = MultipleNegativesRankingLoss(model, scale=1 / _TEMPERATURE)

    def forward(self, features: Any, labels: Any) -> Tensor:
        """Return the loss, or the sum of both."""
        features = list(features)
        query, title = (self.model(each)["sentence_embedding"] for each in features[:2])
        seen = self.picture(features[2])["sentence_embedding"] if len(features) > 2 else None
        if self.is_one and seen is not None:
            title, seen = functional.normalize(title + seen, dim=-1), None
        found: Tensor = self.loss.compute_loss_from_embeddings([query, title], labels)
        if seen is not None:
            found = found + self.loss.compute_loss_from_embeddings([query, seen], labels)
        return found


class _Collator:
    """The library's own collator of texts, with the pictures of the rows beside it.

    Args:
        texts: The library's.
        pictures: Makes pixels [n, 3, height, width] of rows of items; None: texts alone.
    """

    def __init__(self, texts: Any, pictures: Pictures | None) -> None:
        self.texts, self.pictures = texts, pictures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.texts, name)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return tokens and pictures of some pairs."""
        images = [row["row"] for row in rows]
        batch: dict[str, Any] = self.texts([{k: row[k] for k in _TEXTS} for row in rows])
        if self.pictures is not None:
            batch["picture_pixel_values"] = self.pictures(np.array(images))
        return batch


class _Clock(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Remembers when each step began."""

    def __init__(self) -> None:
        self.starts: list[float] = []

    def on_step_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Look at the processor's clock."""
        self.starts.append(time.process_time())


class Trainer:
    """What trains pairs of queries and titles, with the pictures of the titles' items.

    Args:
        queries: Those of an item side by side.
        titles: Of the items.
        pictures: Makes pixels of rows of items; None: texts alone.
        model: The towers.
        is_one_loss: Whether the only loss is that against the mean of title and picture.
    """

    def __init__(
        self,
        queries: list[str],
        titles: list[str],
        pictures: Pictures | None,
        model: DualEncoder,
        *,
        is_one_loss: bool,
    ) -> None:
        towers = {
            "query": _modules(model.query, model.query_tokenizer),
            "document": _modules(model.text, model.text_tokenizer),
        }
        words = towers["document"][0].model.get_input_embeddings()
        towers["query"][0].model.set_input_embeddings(words)
        self._model = SentenceTransformer(
            modules=[Router(towers, default_route="document"), Normalize()], device="cpu"
        )
        self._pictures = pictures
        rows = np.arange(len(queries)) // (len(queries) // len(titles))
        self._pairs = Dataset.from_dict(
            {"anchor": queries, "positive": [titles[row] for row in rows], "row": rows}
        )
        self._loss = _Loss(self._model, _Picture(model.image), is_one=is_one_loss)

    def step_starts(self, size: int, steps: int) -> list[float]:
        """Train and return the processor's clock at the beginning of each step."""
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            args = SentenceTransformerTrainingArguments(
                output_dir=folder, per_device_train_batch_size=size, max_steps=steps,
                learning_rate=1e-4, max_grad_norm=1.0, weight_decay=0.01, save_strategy="no",
                report_to="none", use_cpu=True, disable_tqdm=True, remove_unused_columns=False,
                router_mapping={"anchor": "query", "positive": "document"},
            )  # fmt: skip
            trainer = SentenceTransformerTrainer(
                model=self._model, args=args, train_dataset=self._pairs, loss=self._loss,
                callbacks=[clock],
            )  # fmt: skip
            trainer.data_collator = _Collator(trainer.data_collator, self._pictures)
            trainer.train()
        return clock.starts


def _modules(tower: TextTower, tokenizer: TextTokenizer) -> list[Any]:
    """Return a text tower as the library loads one from a folder, with its projection."""
    own = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.tokenizer,
        pad_token="[PAD]",  # noqa: S106 (not a secret)
    )
    backbone: Any = tower.backbone
    with tempfile.TemporaryDirectory() as folder:
        backbone.save_pretrained(folder)
        own.save_pretrained(folder)
        encoder = Transformer(folder)
    dim = tower.projection.out_features
    dense = Dense(tower.width, dim, bias=False, activation_function=nn.Identity())
    return [encoder, Pooling(tower.width, pooling_mode="mean"), dense]
