"""What pretrain and finetune read, and how it becomes batches."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from smar.closure import code_key
from smar.data import schema
from smar.data.item_source import ItemSource
from smar.data.searched_words import SearchedWords
from smar.data.text import MARKERS, field_starts, item_texts
from smar.data.tokens import PictureTable
from smar.models.dual_encoder import DualEncoder
from smar.models.pretrained import Checkpoint
from smar.models.tokenizer import TextTokenizer, tokenizer_of, train_tokenizer
from smar.params import (
    ClicksParams,
    FinetuneParams,
    ModelParams,
    TextTowerParams,
    TrainParams,
)
from smar.params.kinds import Kind
from smar.params.tracking import read_tracking
from smar.paths import Paths
from smar.train.batching import BatchMaker, Taught
from smar.train.clicks import grade_engagements
from smar.train.dataset import TrainingData, build_training_data
from smar.train.loop import Places
from smar.train.negatives import HardPool, impressions
from smar.train.sampling import LeftOut, PairSampler
from smar.train.searched import SearchedTexts
from smar.train.standing import Nearer
from smar.train.tracking import tracked

logger = logging.getLogger(__name__)

_LEARNED_FROM = 1_000_000  # texts, and as many queries, that a tokenizer is learned from


def read_training_data(
    paths: Paths,
    items: pd.DataFrame,
    visual_categories: list[str],
    clicks: ClicksParams,
    *,
    with_shown: bool = False,
    clicks_suffice: bool = False,
) -> TrainingData:
    """Return the training pairs of a project: the log's training part and the synthetic queries.

    Args:
        paths: The project's paths.
        items: Item table (`schema.ITEMS`).
        visual_categories: Category prefixes of items that are bought by eye.
        clicks: How much an engagement says.
        with_shown: Whether what was shown and not engaged is read too.
        clicks_suffice: Whether the synthetic queries are left out if the log has engagements.
    """
    queries = schema.read_table(paths.queries, schema.QUERIES)
    engagements = schema.read_table(paths.engagements, schema.ENGAGEMENTS)
    training = queries[queries["split"] == "train"].set_index("query_id")["query"]
    engaged = engagements[engagements["query_id"].isin(training.index)]

    def searches() -> pd.DataFrame:
        table = schema.read_table(paths.searches, schema.SEARCHES)
        return table[table["query_id"].isin(training.index)]

    graded = grade_engagements(engaged, searches, clicks)
    graded["query"] = graded["query_id"].map(training)
    with_synthetic = graded.empty or not clicks_suffice
    shown = None
    if with_shown:
        shown = impressions(searches(), engagements)
        shown["query"] = shown["query_id"].map(training)
    data = build_training_data(
        items,
        item_texts(items),
        graded=graded,
        synthetic=_synthetic_training(paths) if with_synthetic else (),
        visual_categories=visual_categories,
        folder=paths.work,
        shown=shown,
    )
    logger.info(
        "training pairs: %d from the log, %d synthetic", len(data.real), len(data.synthetic)
    )
    return data


def _synthetic_training(paths: Paths) -> Iterator[pa.RecordBatch]:
    """Yield the synthetic pairs that are trained on, some at a time."""
    file = paths.synthetic / "queries.parquet"
    columns = ("query", "item_id", "split")
    for batch in schema.read_batches(file, schema.SYNTHETIC, columns, rows=65_536):
        yield batch.filter(pc.equal(batch["split"], "train")).select(["query", "item_id"])


def build_tokenizers(
    params: ModelParams,
    queries: Sequence[str],
    texts: Sequence[str],
    starts: Mapping[str, Checkpoint] = MappingProxyType({}),
) -> tuple[TextTokenizer, TextTokenizer]:
    """Return the tokenizers of the query and the text tower.

    Towers that start from nothing have the same pieces, learned from texts and queries: at most a
    million of each, evenly spaced, as more of them change no piece that counts. A field marker is
    one token there; the tokenizer of a pretrained model reads it as plain words, because that model
    has no embedding for it.

    Args:
        params: The section `model`.
        queries: What shoppers type.
        texts: Item texts.
        starts: The pretrained model of each tower that has one, by its name.
    """

    @cache
    def learned() -> TextTokenizer:
        markers = MARKERS if params.field_markers else ()
        longest = max(params.query.max_tokens, params.text.max_tokens)
        read = chain(_evenly(texts), _evenly(queries))
        return train_tokenizer(read, params.vocab_size, longest, markers)

    def of(name: str) -> TextTokenizer:
        tower: TextTowerParams = getattr(params, name)
        if start := starts.get(name):
            return tokenizer_of(start, tower, is_query=name == "query")
        return learned().cut_at(tower.max_tokens)

    return of("query"), of("text")


def _evenly(texts: Sequence[str]) -> Sequence[str]:
    return texts[:: max(1, -(-len(texts) // _LEARNED_FROM))]


def build_maker(
    model: DualEncoder,
    data: TrainingData,
    items: pd.DataFrame,
    images: ItemSource,
    nearer: Nearer | None = None,
    taught: Taught | None = None,
    searched: SearchedWords | None = None,
) -> BatchMaker:
    """Return the batch maker of a model.

    Args:
        model: The model.
        data: The training data.
        items: Item table (`schema.ITEMS`).
        images: The picture store, or the features of frozen towers.
        nearer: As for `BatchMaker`.
        taught: As for `BatchMaker`.
        searched: Words of searches that items show beside their texts; None: texts alone.
    """
    markers = model.options.field_markers
    texts, starts = item_texts(items, markers=markers), field_starts(items, markers=markers)
    encode = model.text_tokenizer.encode
    read = None
    if searched is not None:
        read = SearchedTexts(searched, data.queries, encode, texts, starts)
    return BatchMaker(
        data,
        encode_queries=model.query_tokenizer.encode,
        item_tokens=read or encode(texts, starts),
        pictures=PictureTable.of(items),
        images=images,
        item_texts=texts,
        nearer=nearer,
        taught=taught,
    )


def searched_words(data: TrainingData, most: int) -> SearchedWords | None:
    """Return what the log's queries say of items, at most so many words; None where that is 0."""
    if not most or not len(data.real):
        return None
    queries = [data.queries[row] for row in data.real.query.tolist()]
    return SearchedWords(data.texts, data.real.item.tolist(), queries, most)


def build_sampler(
    data: TrainingData,
    params: TrainParams,
    real_frac: float,
    seed: int,
    hard: Sequence[HardPool] = (),
) -> PairSampler:
    """Return what draws the pairs of a training.

    Args:
        data: The training pairs.
        params: The section of the stage.
        real_frac: Share of the pairs that come from the log, where an item has both.
        seed: Decides all that is drawn.
        hard: Pools of hard negatives that join the items of a step.
    """
    untold = 0.0
    if isinstance(params, FinetuneParams) and params.searched_words:
        untold = params.searched_mask_frac
    sampler = PairSampler(
        data,
        items_per_step=params.items_per_step,
        queries_per_item=params.queries_per_item,
        real_frac=real_frac,
        seed=seed,
        left_out=LeftOut(params.field_mask_frac, params.word_mask_frac, untold),
        misspelled_frac=params.misspelled_frac,
        hard=hard,
    )
    sampler.vary_pictures(params.augment)
    return sampler


def places(
    paths: Paths, stage: str, settings: dict[str, Any], kinds: Iterable[Kind] = ()
) -> Places:
    """Return where a run keeps its state; a run with other settings or code has another place.

    Args:
        paths: The project's paths.
        stage: Name of the stage.
        settings: Everything that decides the result: parameters, seed, digests of the inputs.
        kinds: The kinds that the run uses; the code of others does not matter to it.
    """
    makers = ["smar.train.loop", "smar.train.prepare", *(kind.module for kind in kinds)]
    key = code_key(makers, ["torch"], json.dumps(settings, sort_keys=True))[:16]
    return Places(
        checkpoint=paths.work / "checkpoints" / f"{stage}-{key}",
        history=paths.history(stage),
        precision=paths.work / f"precision-{stage}.json",
        tracker=partial(
            tracked, read_tracking(paths.root), paths.work / "tracking", stage, settings
        ),
    )
