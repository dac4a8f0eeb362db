"""Words and frozen pictures that start in one space, by canonical correlations in closed form.

Shapes: N items with a picture, F numbers of a picture, V words, D numbers that both sides share.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular
from scipy.sparse import csr_matrix
from torch.nn import functional

from smar.data.item_source import ItemSource
from smar.data.text import field_starts, item_texts
from smar.data.tokens import PictureTable
from smar.errors import DataError, ParamsError
from smar.models.dual_encoder import DualEncoder
from smar.models.frozen import PooledTop
from smar.models.frozen_image import FrozenImageTower
from smar.train.contrasted import Sides, contrasted

logger = logging.getLogger(__name__)

_MOST_ITEMS = 100_000
_MOST_WORDS = 8192  # a covariance of twice as many has four times the numbers
_BATCH = 1024
_SHRINKAGE = 1.0  # of each side's covariance, as a share of its mean variance
_SPREAD = 0.3  # of the numbers of a word's vector; smaller ones are soon unlearned
_LEAST = 1e-6


@dataclass(frozen=True)
class Moments:
    """Second moments of both sides, means over N items.

    Args:
        mean: Of pictures, [F].
        pictures: Covariance of x, [F, F].
        both: Covariance of x and y, [F, V].
        words: E[y y'], [V, V]: zero is an item without any of the words.
    """

    mean: NDArray[np.float32]
    pictures: NDArray[np.float32]
    both: NDArray[np.float32]
    words: NDArray[np.float32]


def align(
    model: DualEncoder,
    items: pd.DataFrame,
    source: ItemSource,
    left_out: NDArray[np.int64],
    *,
    by_contrast: bool = False,
) -> None:
    """Set word vectors, projections and the MLP over frozen pictures so that S_t finds S_i.

    With x a picture's features and y the words of its item, canonical correlations of both with
    shrunk covariances (Hotelling, 1936; Vinod, 1976): `C_xx^-1/2 C_xy C_yy^-1/2 = U S V'`, so that
    `A = C_xx^-1/2 U S` and `B = C_yy^-1/2 V S` map both into D numbers whose inner products say
    which belong together. `A` becomes the MLP, exactly, since `gelu(z) - gelu(-z) = z`; the rows
    of `B`, as unit vectors, become the table of word vectors. The layers between stay random, and
    the towers nearly pass words through. The numbers of an embedding are ordered by what they tell.
    From then on the MLP learns at the rate of what came with a model: a step at a rate for new
    layers moves a weight of an MLP over 2,000 numbers by a tenth of its size.

    Args:
        model: A model before training, with text towers from nothing that share their words.
        items: Item table (`schema.ITEMS`).
        source: Its pictures, or features of them.
        left_out: Rows of the table that are not looked at.
        by_contrast: Whether both are brought nearer by `contrasted` afterwards.

    Raises:
        ParamsError: If the picture tower is no MLP over a frozen model of pictures alone.
        DataError: If no item has a picture.
    """
    top = getattr(model.image, "top", None)
    if not isinstance(model.image, FrozenImageTower) or not isinstance(top, PooledTop) or top.added:
        raise ParamsError(
            f"pretrain.start: 'aligned' with pictures from {model.image.source or 'nothing'}; "
            "expected an MLP over a frozen model of pictures alone (model.image.unfreeze none, "
            "layers 0). Set pretrain.start to random"
        )
    with_picture = np.flatnonzero(items["image_ids"].str.len() > 0)
    rows = np.setdiff1d(with_picture, left_out)
    if not len(rows):
        raise DataError(
            "pretrain.start: 'aligned', and none of the items to learn from has a picture. Set it "
            "to random"
        )
    rows = rows[np.linspace(0, len(rows) - 1, min(_MOST_ITEMS, len(rows))).astype(np.int64)]
    bag, words, special = _words(model, items.iloc[rows])
    moments = _moments(model.image, top, items.iloc[rows], source, bag)
    width = min(model.dim, model.text.width - 2, model.image.width, len(words), len(rows))
    scale = _scale(moments, [*top.pooled_norm.normalized_shape, *top.widths])
    of_picture, of_word = canonical(moments, scale, width)
    with torch.no_grad():
        _set_pictures(model.image, top, torch.from_numpy(of_picture), moments.mean)
    vectors = torch.from_numpy(of_word)
    if by_contrast:
        pictures = [seen for _, seen in _pictures(model.image, top, items.iloc[rows], source)]
        seen = np.concatenate([part.astype(np.float16) for part in pictures])
        vectors = contrasted(top, Sides(seen, bag), functional.normalize(vectors, dim=1))
    with torch.no_grad():
        _set_words(model, vectors, words, special)
    model.set_aligned()
    logger.info("start: words and pictures of %d items aligned in %d numbers", len(rows), width)


def canonical(
    moments: Moments, scale: NDArray[np.float32], width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the maps A [F, D] of centred pictures and B [V, D] of words.

    Args:
        moments: Of both sides.
        scale: What each number of a picture is multiplied with before shrinkage, [F].
        width: D.
    """
    shrunk_x = _shrunk(moments.pictures * np.outer(scale, scale))
    both = moments.both * scale[:, None]
    left, right = (cholesky(each, lower=True) for each in (shrunk_x, _shrunk(moments.words)))
    white = solve_triangular(left, both, lower=True)
    white = solve_triangular(right, white.T, lower=True).T  # [F, V]
    last = len(white) - 1
    values, vectors = eigh(white @ white.T, subset_by_index=(max(0, last - width + 1), last))
    vectors, strength = vectors[:, ::-1], np.sqrt(np.maximum(values[::-1], 0))
    of_picture = solve_triangular(left.T, vectors * strength, lower=False) * scale[:, None]
    of_word = solve_triangular(right.T, white.T @ vectors, lower=False)
    return of_picture.astype(np.float32), of_word.astype(np.float32)


def _shrunk(covariance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a covariance with a share of its mean variance added to each."""
    added = _SHRINKAGE * max(float(np.trace(covariance)) / len(covariance), _LEAST)
    return covariance + added * np.eye(len(covariance), dtype=np.float32)


def _scale(moments: Moments, widths: list[int]) -> NDArray[np.float32]:
    """Return what gives every part of a picture's features, and each number of it, one variance."""
    deviation = np.sqrt(np.maximum(np.diag(moments.pictures), 0))
    share = np.concatenate([np.full(width, width**-0.5) for width in widths])
    return (share / np.maximum(deviation, 1e-3)).astype(np.float32)


def _words(
    model: DualEncoder, items: pd.DataFrame
) -> tuple[csr_matrix, NDArray[np.int64], NDArray[np.int64]]:
    """Return which words each item has, unit rows [N, V], their ids [V] and those of no field."""
    markers = model.options.field_markers
    texts, starts = item_texts(items, markers=markers), field_starts(items, markers=markers)
    table = model.text_tokenizer.encode(texts, starts)
    inside = np.arange(table.ids.shape[1]) < table.lengths[:, None]
    is_word = inside & (np.asarray(table.fields) >= 0)
    row, _ = np.nonzero(is_word)
    words, column, counts = np.unique(table.ids[is_word], return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:_MOST_WORDS])
    bag = csr_matrix((np.ones(len(row), np.float32), (row, column)), (len(items), len(words)))
    bag = bag[:, kept]
    bag.data[:] = 1.0  # a word that an item has twice counts once
    length = np.sqrt(np.maximum(np.asarray(bag.sum(1)).ravel(), 1))
    bag.data /= np.repeat(length, np.diff(bag.indptr))
    special = np.unique(table.ids[inside & ~is_word])
    return bag, words[kept].astype(np.int64), special.astype(np.int64)


def _moments(
    tower: FrozenImageTower,
    top: PooledTop,
    items: pd.DataFrame,
    source: ItemSource,
    bag: csr_matrix,
) -> Moments:
    """Return the second moments of pictures and words of some items."""
    width, total = top.expand.in_features, len(items)
    mean, pictures = np.zeros(width, np.float32), np.zeros((width, width), np.float32)
    both = np.zeros((width, bag.shape[1]), np.float32)
    for rows, seen in _pictures(tower, top, items, source):
        mean += seen.sum(0) / total
        pictures += seen.T @ seen / total
        both += (bag[rows].T @ seen).T / total
    pictures -= np.outer(mean, mean)
    both -= np.outer(mean, np.asarray(bag.mean(0)).ravel())
    return Moments(mean, pictures, both, (bag.T @ bag).toarray() / total)


@torch.inference_mode()
def _pictures(
    tower: FrozenImageTower, top: PooledTop, items: pd.DataFrame, source: ItemSource
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield items with what the MLP sees of each, [n, F]: the mean over its pictures."""
    table = PictureTable.of(items)
    device = tower.projection.weight.device
    for start in range(0, len(items), _BATCH):
        rows = slice(start, min(start + _BATCH, len(items)))
        image_ids, owner = table.of_items(np.arange(rows.start, rows.stop))
        seen = top.seen(*tower.parts(torch.from_numpy(source.read(image_ids)).to(device))).cpu()
        counts = torch.bincount(torch.from_numpy(owner), minlength=rows.stop - start)
        sums = seen.new_zeros(rows.stop - start, seen.shape[1])
        sums.index_add_(0, torch.from_numpy(owner), seen)
        yield rows, (sums / counts[:, None]).numpy()


def _set_pictures(
    tower: FrozenImageTower, top: PooledTop, maps: torch.Tensor, mean: NDArray[np.float32]
) -> None:
    """Make the MLP and its projection map pictures by A [F, D], numbers of about one in size."""
    width = maps.shape[1]
    weight = top.expand.weight
    rows = maps.T.to(weight)
    rows = rows / (rows.square().sum(1).mean().sqrt() + _LEAST)
    bias = -rows @ torch.from_numpy(mean).to(weight)
    for first, sign in ((0, 1.0), (width, -1.0)):
        part = slice(first, first + width)
        top.expand.weight[part], top.expand.bias[part] = sign * rows, sign * bias
    top.contract.weight[:width] = 0.0
    top.contract.bias[:width] = 0.0
    eye = torch.eye(width).to(weight)
    top.contract.weight[:width, :width], top.contract.weight[:width, width : 2 * width] = eye, -eye
    _set_projection(tower.projection, torch.eye(width, tower.projection.in_features))


def _set_words(
    model: DualEncoder, vectors: torch.Tensor, words: NDArray[np.int64], special: NDArray[np.int64]
) -> None:
    """Make word vectors of B [V, D], and the projections of both text towers read them.

    They lie in a subspace of numbers whose sum is zero, which layer norms leave alone. Tokens that
    are in every text lie across it: the projections see nothing of them.
    """
    width, hidden = vectors.shape[1], model.text.width
    drawn = torch.randn(hidden, width + 1)
    basis = torch.linalg.qr(drawn - drawn.mean(0))[0]  # [hidden, D + 1]
    unit = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=_LEAST)
    table = model.text.backbone.get_input_embeddings().weight  # type: ignore[operator]
    size = _SPREAD * hidden**0.5
    table[torch.from_numpy(words)] = (size * unit @ basis[:, :width].T).to(table)
    table[torch.from_numpy(special)] = (size * basis[:, width]).to(table)
    for tower in (model.query, model.text):
        _set_projection(tower.projection, basis[:, :width].T)


def _set_projection(projection: torch.nn.Linear, rows: torch.Tensor) -> None:
    """Make a projection's first numbers those of `rows` [D, width]; others stay as drawn."""
    projection.weight[: len(rows)] = rows.to(projection.weight)
    projection.bias.zero_()
