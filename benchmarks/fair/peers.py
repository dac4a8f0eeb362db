"""sentence-transformers as a learner: texts alone, or the mean of an item's text and picture.

Loss and model classes are the library's; pairs, batches, schedule and time are those of smar. Its
towers are built by the library or, as a setting, taken from smar.

Shapes: Q queries, B items, D embedding length.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.budget import train_for
from benchmarks.fair.given import Given
from benchmarks.fair.learners import Learner
from benchmarks.fair.space import Settings
from benchmarks.quality import encoders
from smar.data.tokens import token_tensors
from smar.models.embeddings import ItemEmbeddings, QueryEmbeddings
from smar.seeding import seed_torch
from smar.train.batching import BatchMaker
from smar.train.optim import build_optimizer
from smar.train.prepare import build_sampler
from smar.train.sampling import Draw

_BATCH = 256


class SmarTowers(nn.Module):
    """smar's text and picture tower as a module of sentence-transformers.

    Args:
        text: The text tower, of queries and items alike.
        image: The picture tower; None where no picture is asked for.
    """

    def __init__(self, text: nn.Module, image: nn.Module | None) -> None:
        super().__init__()
        self.text = text
        self.image: Any = image

    def forward(self, features: dict[str, Any]) -> dict[str, Any]:
        """Return the features with a unit vector each."""
        if features["modality"] == "image":
            pixels = features["pixel_values"]
            output = self.image(pixels, torch.arange(len(pixels)), len(pixels))
        else:
            output = self.text(features["input_ids"], features["attention_mask"].sum(1))
        return features | {"sentence_embedding": output.embedding}


class SentencePeer(Learner):
    """sentence-transformers over texts, or over texts and pictures if a share of these is set.

    An item is encoded once for all its queries of a step, as in smar: the loss is the mean over as
    many rounds as an item has queries, each without a query or an item twice, as the library's
    sampler wants it.

    Args:
        given: What every system gets.
        settings: Of the trial.
        seed: Of weights and batches.
    """

    def __init__(self, given: Given, settings: Settings, seed: int) -> None:
        super().__init__(given, settings, seed)
        self.share: float = settings.get("picture", 0.0)
        self.params = given.params(settings, {})
        self.query_tokenizer, self.text_tokenizer = given.tokenizers
        seed_torch(seed)
        self.model = self._own() if settings["own_towers"] else self._smars()
        two_ways = settings["two_ways"]
        hardness = settings.get("hardness", 0.0)
        self.loss = MultipleNegativesRankingLoss(
            self.model,
            scale=1 / settings["temperature"],
            directions=("query_to_doc", "doc_to_query") if two_ways else ("query_to_doc",),
            partition_mode="per_direction" if two_ways else "joint",
            hardness_mode="in_batch_negatives" if hardness else None,
            hardness_strength=hardness,
        )
        self._texts = self.text_tokenizer.encode(given.texts)
        self._pictures = given.shop.main_pictures

    def _smars(self) -> SentenceTransformer:
        made = self.given.towers(self.params)
        module = SmarTowers(made.text, made.image if self.share else None)
        return SentenceTransformer(modules=[module], device="cpu")

    def _own(self) -> SentenceTransformer:
        given, settings, sizes = self.given, self.settings, self.params.model
        text = encoders.text_tower(
            self.text_tokenizer,
            settings["text_layers"],
            self.seed,
            width=sizes.text.hidden,
            pooling=settings.get("pooling", "mean"),
        )
        if not self.share:
            modules = encoders.projected(text, sizes.dim)
            return SentenceTransformer(modules=modules, device="cpu")
        image = encoders.image_tower(
            (given.images.height, given.images.width),
            settings["patch"],
            settings["image_layers"],
            self.seed,
            width=sizes.image.hidden,
        )
        return encoders.joined(text, image, sizes.dim)

    def fit(self, seconds: float) -> int:
        """Train for so many seconds of processor and return the steps."""
        given, params, share = self.given, self.params, self.settings["synthetic_share"]
        parts = (
            (given.data, params.pretrain, params.pretrain.real_frac, share),
            (given.clicks, params.finetune, 1.0, 1 - share),
        )
        steps = 0
        self.model.train()
        for number, (data, settings, real_frac, time_share) in enumerate(parts):
            sampler = build_sampler(data, settings, real_frac, self.seed + number)
            maker = given.makers[number]
            optimizer = build_optimizer(self.model, settings.weight_decay)

            def backward(step: int, sampler: Any = sampler, maker: BatchMaker = maker) -> None:
                self._loss(maker, sampler.draw(step)).backward()  # type: ignore[no-untyped-call]

            steps += train_for(seconds * time_share, optimizer, settings, backward)
        self.model.eval()
        return steps

    def _loss(self, maker: BatchMaker, draw: Draw) -> Tensor:
        texts, group = maker.texts(draw), maker.facts(draw)["group"].numpy()
        item, _ = self._items(texts["item_ids"], texts["item_lengths"], draw.items)
        asked = self._text(texts["query_ids"], texts["query_lengths"])
        losses = []
        for rows in rounds(draw, group):
            columns = [asked[rows], item[draw.target[rows]]]
            losses.append(self.loss.compute_loss_from_embeddings(columns, None))
        return torch.stack(losses).mean()

    def _text(self, ids: Tensor, lengths: Tensor) -> Tensor:
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        features = {"input_ids": ids, "attention_mask": mask, "modality": "text"}
        return encoders.vectors(self.model, features)

    def _items(
        self, ids: Tensor, lengths: Tensor, rows: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Return unit vectors of items, the mean of their fields, and their pictures', [B, D]."""
        text = self._text(ids, lengths)
        if not self.share:
            return text, torch.zeros_like(text)
        own = self._pictures[rows]
        pixels = torch.from_numpy(self.given.images.read(np.maximum(own, 0)))
        if self.settings["own_towers"]:
            pixels = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        image = encoders.vectors(self.model, {"pixel_values": pixels, "modality": "image"})
        has_picture = torch.from_numpy(own >= 0).float()[:, None]
        share = self.share * has_picture
        mean = functional.normalize((1 - share) * text + share * image, dim=1)
        return mean, image * has_picture

    @torch.inference_mode()
    def items(self, rows: NDArray[np.int64] | None) -> ItemEmbeddings:
        """Return the items' one vector, as S_t and S_m, and that of their pictures."""
        chosen = np.arange(len(self.given.items)) if rows is None else rows
        parts = []
        for part in np.array_split(chosen, -(-len(chosen) // _BATCH)):
            ids, lengths = token_tensors(self._texts, part, torch.device("cpu"))
            parts.append(self._items(ids, lengths, part))
        mean, image = (torch.cat(vectors).numpy() for vectors in zip(*parts, strict=True))
        return ItemEmbeddings(mean, image, mean)

    @torch.inference_mode()
    def queries(self, texts: Sequence[str]) -> QueryEmbeddings:
        """Return queries; there is no gate, which 0 stands for."""
        table = self.query_tokenizer.encode(texts)
        parts = [
            self._text(*token_tensors(table, rows, torch.device("cpu"))).numpy()
            for rows in np.array_split(np.arange(len(texts)), -(-len(texts) // _BATCH))
        ]
        return QueryEmbeddings(np.concatenate(parts), np.zeros(len(texts), np.float32))


def rounds(draw: Draw, group: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield rows of a draw's queries, one of each item, with no query and no group twice.

    Args:
        draw: A step's pairs, as many queries for every item.
        group: Items with equal numbers are one thing to a shopper, [B].
    """
    per_item = len(draw.queries) // len(draw.items)
    for number in range(per_item):
        rows = np.arange(number, len(draw.queries), per_item)
        first = np.unique(draw.queries[rows], return_index=True)[1]
        of_group = np.unique(group[draw.target[rows]], return_index=True)[1]
        yield rows[np.intersect1d(first, of_group)]
