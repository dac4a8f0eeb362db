"""Queries and items to embeddings, outside training."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from smar.data.item_source import ItemSource
from smar.data.searched_words import with_words
from smar.data.text import field_starts, item_texts
from smar.data.token_table import TokenTable
from smar.data.tokens import Forgotten, PictureTable, forget_words, text_tensors, token_tensors
from smar.models.dual_encoder import DualEncoder
from smar.models.embeddings import ItemEmbeddings, QueryEmbeddings

_QUERY_BATCH = 512


@torch.inference_mode()
def encode_queries(model: DualEncoder, texts: Sequence[str]) -> QueryEmbeddings:
    """Return the embeddings and gates of query texts; batching does not change them."""
    table = model.query_tokenizer.encode(texts)
    several = (model.query.vectors,) if model.query.vectors > 1 else ()
    vector = np.zeros((len(texts), *several, model.dim), np.float32)
    gate = np.zeros(len(texts), np.float32)
    for rows in _by_length(table, _QUERY_BATCH):
        output = model.encode_query_tokens(*token_tensors(table, rows, model.device))
        vector[rows] = output.embedding.cpu().numpy()
        gate[rows] = output.gate_logit.sigmoid().cpu().numpy()
    return QueryEmbeddings(vector, gate)


@torch.inference_mode()
def encode_items(
    model: DualEncoder,
    items: pd.DataFrame,
    images: ItemSource,
    batch_size: int,
    *,
    bar: bool = True,
    forgotten: Forgotten | None = None,
    searched: Sequence[str] | None = None,
) -> ItemEmbeddings:
    """Return S_t, S_i and S_m of items, a table as in `schema.ITEMS`, with their pictures.

    Args:
        model: The model, on its device.
        items: The items.
        images: Their pictures, or features of them.
        batch_size: Items encoded at once; those of similar length are.
        bar: Whether a terminal is shown how far it is.
        forgotten: Words that are left out of their texts; None: none. A frozen text tower reads
            texts as they are.
        searched: Words that searches used of each item; None: those that the model was given.
    """
    told = model.searched.of(items["item_id"].tolist()) if searched is None else searched
    texts = with_words(item_texts(items, markers=model.options.field_markers), told)
    starts = None if forgotten is None else field_starts(items, markers=model.options.field_markers)
    table = model.text_tokenizer.encode(texts, starts)
    if forgotten is not None:
        table = forget_words(table, np.arange(len(texts)), forgotten, np.arange(len(texts)))
    pictures = PictureTable.of(items)
    parts = [np.zeros((len(items), model.dim), np.float32) for _ in range(3)]
    with tqdm(total=len(items), desc="encode", unit="item", disable=None if bar else True) as done:
        for rows in _by_length(table, batch_size):
            image_ids, owner = pictures.of_items(rows)
            states = images.states_of([texts[row] for row in rows])
            output = model.encode_item_tokens(
                *text_tensors(table, rows, states, model.device),
                torch.from_numpy(images.read(image_ids)).to(model.device),
                torch.from_numpy(owner).to(model.device),
            )
            for part, value in zip(
                parts, (output.text, output.image, output.multimodal), strict=True
            ):
                part[rows] = value.cpu().numpy()
            done.update(len(rows))
    return ItemEmbeddings(*parts)


def _by_length(table: TokenTable, batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Yield rows in batches of similar length, so that little is spent on padding."""
    order = np.argsort(table.lengths, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
