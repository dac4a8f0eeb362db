"""Item vectors; only items whose content changed are encoded again."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from smar.checks import Check
from smar.declaration import OF_RUN, Stage
from smar.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd

    from smar.models.embeddings import ItemEmbeddings
    from smar.params import Params

logger = logging.getLogger(__name__)

_SHARD = 4096  # items: some seconds of work, in batches of similar length

STAGE = Stage(
    summary=str(__doc__),
    reads=[
        "data/accepted/items.parquet",
        "data/images",
        "data/features",
        "models/retriever",
    ],
    writes=[
        "data/embeddings",
        "reports/outcomes/embed.json",
        "metrics/embed.json",
    ],
    params=["threads", "embed"],
    compared=["items", "without_picture"],
    checks={
        "rows_have_unit_norm": Check(
            text="Every item vector is finite and of length 1, so that inner product is cosine."
        ),
        "every_item_is_embedded": Check(text="The embeddings cover the catalogue."),
    },
)


def run(root: Path) -> None:
    """Write S_t, S_i and S_m of every item, taking over those of unchanged items.

    The embeddings of the run before are read too, though DVC does not know: `persist` keeps them.
    """
    from smar.artifacts import Manifest
    from smar.data import schema
    from smar.data.images import ImageStore
    from smar.index.coverage import check_coverage, check_norms
    from smar.index.refresh import refresh
    from smar.index.store import KIND, content_shas, previous_store, write_store
    from smar.params import load_params
    from smar.verified import Verified

    params = load_params(Paths(root).params)
    paths = Paths(root)
    logger.info("embed: %s", params.embed.model_dump())
    inputs = STAGE.digests(root)
    items = schema.read_table(paths.items, schema.ITEMS)
    images = ImageStore.of(paths)  # verified here, once for all that read it
    model_sha, verified = inputs["models/retriever"], Verified(paths.work / "verified")
    store, encoded = refresh(
        items,
        content_shas(items, images),
        previous_store(paths.embeddings, model_sha, verified),
        model_sha,
        partial(_encode, root, params, inputs),
        paths.work,
    )
    counts = {
        "items": len(items),
        "without_picture": int((items["image_ids"].str.len() == 0).sum()),
    }
    of_run = {"encoded": encoded, "reused": len(items) - encoded}
    settings = params.embed.model_dump()
    manifest = Manifest(kind=KIND, inputs=inputs, params=settings, counts=counts)
    coverage = check_coverage("every_item_is_embedded", list(items["item_id"]), store.item_ids)
    found = [check_norms(store), coverage]
    figures = STAGE.with_checks(paths.outcome("embed"), counts | {OF_RUN: of_run}, found)
    write_store(paths.embeddings, store, manifest)
    verified.tell(paths.embeddings, manifest)
    STAGE.write_outcome(root, figures)
    logger.info("embed: %s", counts | of_run)


def _encode(
    root: Path, params: "Params", inputs: "Mapping[str, str]", items: "pd.DataFrame"
) -> "Iterator[ItemEmbeddings]":
    """Yield the embeddings of items, encoded shard by shard."""
    from tqdm import tqdm

    from smar.shards.mapping import map_shards

    threads = params.cluster.threads(params.threads)
    prepare = partial(encoder, root, params.embed.batch_size, threads, inputs)
    starts = range(0, max(1, len(items)), _SHARD)
    shards = (items.iloc[start : start + _SHARD] for start in starts)
    with tqdm(total=len(items), desc="encode", unit="item", disable=None) as bar:
        for part in map_shards(prepare, shards, params.cluster, threads=threads, uses_gpu=True):
            yield part
            bar.update(len(part.text))


def encoder(
    root: Path, batch_size: int, threads: int, inputs: "Mapping[str, str]"
) -> "Callable[[pd.DataFrame], ItemEmbeddings]":
    """Return what encodes a shard of items, with the model in memory.

    Args:
        root: The project.
        batch_size: Items encoded at once.
        threads: CPU threads; 0 = as many as the process may use.
        inputs: Digests of what the stage reads.

    Raises:
        ArtifactError: If the project here holds something else.
    """
    from smar.data.images import ImageStore
    from smar.errors import DataError
    from smar.features.source import open_source
    from smar.models.device import place_model
    from smar.models.encode import encode_items
    from smar.models.io import load_model
    from smar.models.memory import told_of_memory

    STAGE.expect(root, inputs)
    paths = Paths(root)
    model = place_model(load_model(paths.retriever), threads)
    source = open_source(paths.features, ImageStore.open(paths.images, verify=False), model)

    what = f"{batch_size} items encoded at once"
    remedy = f"Set embed.batch_size to {max(1, batch_size // 2)}, which takes half of it."

    def encode(items: "pd.DataFrame") -> "ItemEmbeddings":
        rows = items.reset_index(drop=True)
        with told_of_memory(what, remedy, DataError):
            return encode_items(model, rows, source, batch_size, bar=False)

    return encode
