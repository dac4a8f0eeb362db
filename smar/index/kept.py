"""What an earlier run made of items that are as they were, and what it fitted to all of them.

    .smar/index/words/      what the text of each item holds (`item_words`)
    .smar/index/letters/    its words of letters alone (`letters`)
    .smar/index/clicks/     what the items were found by (`click_words`)
    .smar/index/searched/   which words the queries of clicks have (`click_words`)
    .smar/index/rows-TABLE/ hashes of blocks of a table (`basis`)
    .smar/index/colours/    which colours each picture has (`picture_colours`)
    .smar/index/vectors/    trained inverted lists, the list and the code of each item (`lists`)
    .smar/index/shards/     files of the vectors, as links (`kept_shards`)
    .smar/index/bests/      what exact search finds for what the index is measured with (`bests`)
    .smar/index/fit/        queries that the index is measured with, what it was fitted to (`basis`)
    .smar/index/asked/      queries that tell whether towers encode as they did (`asked`)
    .smar/index/items.parquet   the item table, as a link: which items changed (`same_rows`)
    .smar/index/typed.json  words of the queries that were trained on (`letters`)

It may be deleted at any time; what is damaged, or was made by other code, libraries, settings or
another model, is not used.

Words, colours and lists are what would be made again. What was fitted is not: centres of lists,
settings, the share of the words, relevance. It stands as long as less than `index.refit_frac` of
the data is other than what it was fitted to, and the index still finds enough.

Shapes: N items, Q queries, D embedding length.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from smar.artifacts import Manifest, read_manifest, verify_directory, write_directory
from smar.closure import PARAMS, code_key
from smar.data.schema import ITEMS, read_columns
from smar.errors import ArtifactError
from smar.index.ann import KIND as INDEX
from smar.index.kept_parts import Fit, Read, read_fit, read_parts, told_of, write_parts
from smar.index.kept_shards import FOLDER, KeptShards, is_shard
from smar.replace import link_or_copy, linked

logger = logging.getLogger(__name__)

KIND = "index_kept"
_ITEMS = "items.parquet"
_OF_WORDS = ("PyStemmer", "regex")
_OF_TEXTS_READ = (*_OF_WORDS, "pyarrow", "pandas")
_OF_ALL = (
    *_OF_WORDS,
    "bm25s",
    "faiss-cpu",
    "numpy",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "rapidfuzz",
    "py3langid",
)
_OF_TOWERS = ("torch", "transformers", "tokenizers", "numpy")
# Parameters count by value, towers by what they encode (`asked`); the others carry files, and what
# runs where, and decide nothing of what is in them.
_ASIDE = (
    PARAMS, "models", "shards", "artifacts", "checks", "declaration", "errors", "kept_files",
    "object_store", "paths", "replace", "scratch", "verified", "data/stored_shards",
)  # fmt: skip


def how_read() -> str:
    """Return what stands for the way in which texts are read."""
    modules = ("index.item_words", "index.letters", "index.click_words", "data.text")
    return code_key([f"smar.{name}" for name in modules], _OF_TEXTS_READ, but=PARAMS)


def how_looked_at() -> str:
    """Return what stands for the way in which pictures are looked at."""
    return code_key(["smar.index.picture_colours"], ("numpy",), but=PARAMS)


def how_hashed() -> str:
    """Return what stands for the way in which rows of tables are hashed."""
    return code_key(["smar.index.basis"], ("pandas", "pyarrow", "numpy"), but=PARAMS)


def how_fitted(settings: Any) -> str:
    """Return what stands for the way in which an index is fitted: code, libraries, settings.

    The code of towers is not in it: that is asked for where it changed (`how_encoded`).
    """
    known = orjson.dumps(settings, option=orjson.OPT_SORT_KEYS).decode()
    return code_key(["smar.stages.index"], _OF_ALL, known, but=_ASIDE)


def how_encoded() -> str:
    """Return what stands for the way in which a model encodes queries."""
    return code_key(["smar.models.encode", "smar.models.io"], _OF_TOWERS, but=PARAMS)


@dataclass(frozen=True)
class Kept:
    """What is kept of an earlier run.

    Args:
        read: What it read; nothing of what would be read in another way now.
        stemmer: Of the words.
        fit: What it fitted, None where that was done in another way, or nothing was.
        by_same_towers: Whether its queries were encoded by the code that would do so now.
        shards: Files of its vectors.
        inputs: Digests of what it was made of, by their names.
        folder: Where it lies; None where nothing is kept.
    """

    read: Read = field(default_factory=Read)
    stemmer: str = ""
    fit: Fit | None = None
    by_same_towers: bool = True
    shards: KeptShards = field(default_factory=KeptShards)
    inputs: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    @cached_property
    def items(self) -> pa.Table | None:
        """The item table that words were read of, whose rows are those of `read.words`."""
        if self.folder is None or not (self.folder / _ITEMS).is_file():
            return None
        return read_columns(self.folder / _ITEMS, ITEMS)

    def unchanged(self, inputs: Mapping[str, str]) -> frozenset[str]:
        """Return the names of those inputs that have the digest they had then."""
        return frozenset(name for name in inputs if self.inputs.get(name) == inputs[name])

    def read_with(self, stemmer: str) -> Read:
        """Return what was read, without words that another stemmer gave their form."""
        is_other = stemmer != self.stemmer
        return replace(self.read, words=None, searched=None) if is_other else self.read

    @classmethod
    def open(cls, folder: Path, how: str) -> "Kept":
        """Return what is kept, nothing where there is nothing that can be used.

        Args:
            folder: Where it lies.
            how: As `how_fitted` tells it of this run.
        """
        try:
            if not folder.is_dir():
                return cls()
            manifest = read_manifest(folder, KIND, aside=is_shard)
            details = manifest.details
            if details["read"] != how_read():
                return cls()
            shards = KeptShards.of(folder, manifest.files)  # looked at where they are taken
            verify_directory(folder, KIND, aside=is_shard)
            fit = read_fit(folder, details) if details["how"] == how else None
            is_encoded_so = details["encoded"] == how_encoded()
            stemmer = details["fit"]["stemmer"]
            read = read_parts(
                folder,
                is_looked_at_so=details["looked_at"] == how_looked_at(),
                is_hashed_so=details["hashed"] == how_hashed(),
            )
            return cls(read, stemmer, fit, is_encoded_so, shards, manifest.inputs, folder)
        except (ArtifactError, OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("the index is made without what was kept: %s", error)
            return cls()


def keep(
    folder: Path,
    how: str,
    inputs: Mapping[str, str],
    read: Read,
    fit: Fit,
    index: Path,
    shards: Mapping[str, str],
    items: Path,
) -> None:
    """Write what this run made for the next one, whole or not at all.

    Args:
        folder: Where it lies.
        how: As `how_fitted` tells it of this run.
        inputs: Digests of what the index is made of, by their names.
        read: What was read.
        fit: What was fitted.
        index: The index as it was written.
        shards: What files of it are known by (`keys_of_shards`).
        items: The item table, which `inputs` names.
    """
    details = {"how": how, "read": how_read(), "looked_at": how_looked_at(), "fit": told_of(fit)}
    details |= {"encoded": how_encoded(), "asked": list(fit.asked.texts), "hashed": how_hashed()}
    manifest = Manifest(kind=KIND, inputs=dict(inputs), details=details)
    written = read_manifest(index, INDEX).files
    with write_directory(folder, manifest) as temporary:
        write_parts(temporary, read, fit)
        link_or_copy(items, temporary / _ITEMS)
        (temporary / FOLDER).mkdir()
        for name, key in shards.items():
            kept = f"{FOLDER}/{key}.faiss"
            if linked(index / name, temporary / kept):
                manifest.files[kept] = written[name]
    KeptShards.tell_hashed(folder)
