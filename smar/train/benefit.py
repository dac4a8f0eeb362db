"""What the pictures bring to the queries of the log, once the towers are trained.

Shapes: P pairs, Q queries, K vectors a query, N items of a sample, H hidden width, D embedding
length.
"""

import logging

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from smar.data.item_source import ItemSource
from smar.data.searched_words import MOST, SearchedWords
from smar.data.tokens import Forgotten, token_tensors
from smar.models.dual_encoder import DualEncoder
from smar.models.embeddings import ItemEmbeddings
from smar.models.encode import encode_items
from smar.models.gate.teaching import Benefit
from smar.params import Params
from smar.params.kinds import GATES
from smar.seeding import generator
from smar.train.dataset import TrainingData

logger = logging.getLogger(__name__)

_MOST_ITEMS = 4096  # that ranks are taken among: 12 s of one core for three kinds of vectors
_ENGAGED_FRAC = 0.75  # of them, at most; the rest are any items
_MOST_PAIRS = 20_000
_PER_ITEM = 2  # where an item's other queries speak for it
_PER_QUERY = 4  # pairs, so that popular queries do not speak for all
_BATCH = 512
_FORGOTTEN = 0.5  # of the words of texts where queries are made of them, and of those of searches


def settle_gate(
    model: DualEncoder,
    params: Params,
    data: TrainingData,
    items: pd.DataFrame,
    images: ItemSource,
    seed: int,
    searched: SearchedWords | None = None,
) -> dict[str, float]:
    """Put the gate that ships in the place of a trained model's header, and fit one that has to be.

    Args:
        model: The trained model.
        params: Say which gate it is, and what pictures were taught.
        data: As the others for `picture_benefit`.
        items: The items.
        images: Their pictures.
        seed: Draws items and pairs.
        searched: Words of searches that items show.

    Returns:
        Figures of the fit; none where there is nothing to fit.
    """
    model.set_gate(params.gate.kind, params.gate.own.model_dump())
    if not GATES[params.gate.kind].facts["SETTLES"]:
        return {}
    compares = params.finetune.teaches_pictures
    found = picture_benefit(model, data, items, images, seed, searched, compares=compares)
    return model.gate.settle(found)


def picture_benefit(
    model: DualEncoder,
    data: TrainingData,
    items: pd.DataFrame,
    images: ItemSource,
    seed: int,
    searched: SearchedWords | None = None,
    *,
    compares: bool = True,
) -> Benefit:
    """Return how far engaged items come up when the picture counts, query by query.

    Ranks are among a sample of the catalogue without the query's other engaged items. Without a
    log the synthetic queries take the place of the clicks; they are made of the items' words, so
    that texts answer all of them, and half of the words are left out of the texts. The towers have
    trained on these pairs, with and without pictures alike, so what they remember counts for
    neither side.

    Args:
        model: The trained model; it is left in evaluation mode.
        data: The training data.
        items: Item table (`schema.ITEMS`).
        images: The picture store.
        seed: Draws items and pairs.
        searched: Words of searches that items show, but for those of the pairs drawn; then an item
            has two of these at most, for the others to tell what they do in a search.
        compares: Whether S_t and S_i can be compared; no picture is doubted where S_i has learned
            as a part of S_m alone, for what it adds to a text need not agree with it.
    """
    model.eval()
    per_item = _PER_ITEM if searched else None
    sample, query, item = _draw(data, generator(seed, "what pictures bring"), per_item)
    forgotten = None if len(data.real) else Forgotten(_FORGOTTEN, seed)
    rng = generator(seed, "words of searches")
    told = _told(searched, data, sample, query, item, rng) if searched else None
    made = encode_items(
        model, items.iloc[sample], images, _BATCH, forgotten=forgotten, searched=told
    )
    vector, pooled = _encode(model, [data.queries[row] for row in query])
    gain = np.zeros(len(query), np.float32)
    for start in range(0, len(query), _BATCH):
        part = slice(start, start + _BATCH)
        others = data.known(query[part], sample)  # [B, N]
        others[np.arange(len(others)), item[part]] = False
        by_text, by_both = (
            _ranks(vector[part], rows, item[part], others) for rows in (made.text, made.multimodal)
        )
        gain[part] = np.log1p(by_text) - np.log1p(by_both)
    logger.info("the picture brings %.3f in ln of the rank over %d pairs", gain.mean(), len(gain))
    agreements = _agreements(made, generator(seed, "exchanged pictures")) if compares else ()
    return Benefit(pooled, torch.from_numpy(gain), *agreements)


def _agreements(made: ItemEmbeddings, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return `S_t . S_i` of items with a picture, and with another item's picture each, [N]."""
    pictured = np.flatnonzero(made.image.any(1))
    text, image = made.text[pictured], made.image[pictured]
    order = rng.permutation(len(pictured))
    other = np.empty_like(order)
    other[order] = np.roll(order, 1)
    own, exchanged = ((text * of).sum(1) for of in (image, image[other]))
    return torch.from_numpy(own), torch.from_numpy(exchanged)


def _told(
    searched: SearchedWords,
    data: TrainingData,
    sample: NDArray[np.int64],
    query: NDArray[np.int64],
    item: NDArray[np.int64],
    rng: np.random.Generator,
) -> list[str]:
    """Return half of what searches say of a sample's items but for the queries of pairs, [N]."""
    asked = zip(item.tolist(), (data.queries[row] for row in query.tolist()), strict=True)
    untold = rng.random((len(sample), MOST)) < _FORGOTTEN
    return searched.beside(sample, asked, untold)


def _draw(
    data: TrainingData, rng: np.random.Generator, per_item: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return a sample of items [N], and pairs: rows of queries [P] and places in the sample [P]."""
    pairs = data.real if len(data.real) else data.synthetic
    size = min(_MOST_ITEMS, data.num_items)
    engaged = rng.permutation(np.unique(pairs.item))
    if size < data.num_items:
        engaged = engaged[: int(_ENGAGED_FRAC * size)]
    others = rng.permutation(np.setdiff1d(np.arange(data.num_items), engaged))
    sample = np.sort(np.concatenate([engaged, others[: size - len(engaged)]]))
    place = np.full(data.num_items, -1)
    place[sample] = np.arange(size)
    table = pd.DataFrame({"query": pairs.query, "item": place[pairs.item]})
    table = table[table["item"] >= 0]
    table = table.iloc[rng.permutation(len(table))]
    if per_item:
        table = table[table.groupby("item").cumcount() < per_item]
    table = table[table.groupby("query").cumcount() < _PER_QUERY].head(_MOST_PAIRS)
    return sample, table["query"].to_numpy(np.int64), table["item"].to_numpy(np.int64)


@torch.inference_mode()
def _encode(model: DualEncoder, texts: list[str]) -> tuple[NDArray[np.float32], Tensor]:
    """Return vectors [Q, K, D] and pooled states [Q, H] of queries."""
    table = model.query_tokenizer.encode(texts)
    outputs = []
    for start in range(0, len(texts), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(texts)))
        outputs.append(model.query(*token_tensors(table, rows, model.device)))
    vector = torch.cat([output.embedding for output in outputs]).cpu().numpy()
    pooled = torch.cat([output.pooled.float() for output in outputs]).cpu()
    return vector.reshape(len(texts), -1, vector.shape[-1]), pooled


def _ranks(
    vector: NDArray[np.float32],
    items: NDArray[np.float32],
    target: NDArray[np.int64],
    left_out: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return how many items are above each pair's own, [B], an item's best vector counting.

    Args:
        vector: Query vectors, [B, K, D].
        items: Item vectors, [N, D].
        target: Row of each pair's item, [B].
        left_out: Items that do not count, [B, N].
    """
    scores = (vector @ items.T).max(1)  # [B, N]
    own = scores[np.arange(len(scores)), target]
    above: NDArray[np.int64] = ((scores > own[:, None]) & ~left_out).sum(1)
    return above
