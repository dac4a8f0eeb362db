"""What an earlier run made of items that are as they were, and what it fitted to all of them.

    .smar/index/words/      what the text of each item holds (`item_words`)
    .smar/index/letters/    its words of letters alone (`letters`)
    .smar/index/searched/   which words the queries of clicks have (`picture_words`)
    .smar/index/rows/       hashes of blocks of the tables (`basis`)
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
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from smar.artifacts import Manifest, read_manifest, verify_directory, write_directory
from smar.closure import PARAMS, code_key
from smar.data.schema import ITEMS, read_columns
from smar.errors import ArtifactError
from smar.index.ann import KIND as INDEX
from smar.index.asked import Asked
from smar.index.basis import Basis, Hashed
from smar.index.bests import Bests
from smar.index.item_words import ItemWords
from smar.index.kept_shards import FOLDER, KeptShards, is_shard, linked
from smar.index.lists import Lists
from smar.index.picture_colours import PictureColours

logger = logging.getLogger(__name__)

KIND = "index_kept"
_ITEMS, _TYPED = "items.parquet", "typed.json"
_ARRAYS = ("keys", "starts", "numbers", "counts")  # of words
_OF_TEXTS = ("words", "letters", "searched")
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


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What was fitted to all of the data.

    Args:
        stemmer: Of the words.
        word_share: As of `HybridIndex`.
        click_words: What words of clicks count.
        exclusive_words: What words that exclude those of a query take away.
        unseen_share: Share of the words of queries that `UnseenWords` tells; None for the same.
        relevance: A calibration in plain types, None where there was nothing to fit it to.
        details: Of the vector index: kind, settings, recall.
        figures: What the shares were chosen by.
        sample: Gated queries that the index is measured with; none of an exact one, [Q, 2 D].
        basis: What all of it was fitted to.
        lists: Trained lists and where they have the items, None of an index without.
        keys: What the vectors of `lists` are known by, [N, 2].
        bests: What exact search found among them for the queries that the index is measured with.
        asked: Queries that tell whether towers encode as they did.
    """

    stemmer: str
    word_share: float
    click_words: float
    exclusive_words: float
    unseen_share: float | None
    relevance: Mapping[str, Any] | None
    details: Mapping[str, Any]
    figures: Mapping[str, float]
    sample: NDArray[np.float32]
    basis: Basis
    lists: Lists | None
    keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    bests: Bests | None = None
    asked: Asked = field(default_factory=lambda: Asked([], np.empty((0, 1), np.float32)))


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


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read of items, pictures, queries and rows, which is of each by itself.

    Args:
        words: The words of the items.
        letters: The same as they are spelled; None where no query is mended.
        searched: Those of the queries of clicks; None where nobody asks for them.
        colours: Of all pictures; None where they were not looked at.
        rows: Hashes of blocks of the tables.
        typed: How many of the queries that were trained on have each word, as it is spelled; None
            where no query is mended.
    """

    words: ItemWords | None = None
    letters: ItemWords | None = None
    searched: ItemWords | None = None
    colours: PictureColours | None = None
    rows: Hashed = field(default_factory=Hashed.nothing)
    typed: Mapping[str, int] | None = None


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
            words = {
                name: _read_words(folder / name) for name in _OF_TEXTS if (folder / name).is_dir()
            }
            fit = _read_fit(folder, details) if details["how"] == how else None
            is_encoded_so = details["encoded"] == how_encoded()
            is_same = details["looked_at"] == how_looked_at() and (folder / "colours").is_dir()
            colours = _read_colours(folder / "colours") if is_same else None
            stemmer = details["fit"]["stemmer"]
            rows = Hashed.nothing()
            if details["hashed"] == how_hashed():
                rows = Hashed(*(_array(folder / "rows", name) for name in vars(rows)))
            typed = folder / _TYPED
            counts = orjson.loads(typed.read_bytes()) if typed.is_file() else None
            read = Read(**words, colours=colours, rows=rows, typed=counts)
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
    told = {
        name: getattr(fit, name)
        for name in (
            "stemmer",
            "word_share",
            "click_words",
            "exclusive_words",
            "unseen_share",
            "relevance",
            "details",
            "figures",
        )
    }
    details = {"how": how, "read": how_read(), "looked_at": how_looked_at(), "fit": told}
    details |= {"encoded": how_encoded(), "asked": list(fit.asked.texts), "hashed": how_hashed()}
    manifest = Manifest(kind=KIND, inputs=dict(inputs), details=details)
    written = read_manifest(index, INDEX).files
    with write_directory(folder, manifest) as temporary:
        texts = {name: getattr(read, name) for name in _OF_TEXTS if getattr(read, name) is not None}
        arrays = {f"{of}/{name}": getattr(texts[of], name) for of in texts for name in _ARRAYS}
        arrays |= {f"fit/basis-{name}": hashes for name, hashes in fit.basis.items()}
        arrays |= {"fit/sample": fit.sample, "asked/vectors": fit.asked.vectors}
        arrays |= {f"rows/{name}": value for name, value in vars(read.rows).items()}
        if read.colours is not None:
            arrays |= {f"colours/{name}": value for name, value in vars(read.colours).items()}
        if fit.lists is not None:
            arrays["vectors/keys"] = fit.keys
            arrays |= {f"vectors/{name}": value for name, value in vars(fit.lists).items()}
        if fit.lists is not None and fit.bests is not None:
            arrays |= {f"bests/{name}": value for name, value in vars(fit.bests).items()}
        for name, values in arrays.items():
            (temporary / name).parent.mkdir(exist_ok=True)
            np.save(temporary / f"{name}.npy", values, allow_pickle=False)
        for of, each in texts.items():
            (temporary / of / "vocabulary.json").write_bytes(orjson.dumps(each.vocabulary))
        if read.typed is not None:
            (temporary / _TYPED).write_bytes(orjson.dumps(read.typed))
        if not linked(items, temporary / _ITEMS):
            shutil.copyfile(items, temporary / _ITEMS)
        (temporary / FOLDER).mkdir()
        for name, key in shards.items():
            kept = f"{FOLDER}/{key}.faiss"
            if linked(index / name, temporary / kept):
                manifest.files[kept] = written[name]
    KeptShards.tell_hashed(folder)


def _read_words(folder: Path) -> ItemWords:
    vocabulary = orjson.loads((folder / "vocabulary.json").read_bytes())
    return ItemWords(vocabulary=vocabulary, **{name: _array(folder, name) for name in _ARRAYS})


def _read_colours(folder: Path) -> PictureColours:
    return PictureColours(*(_array(folder, name) for name in ("keys", "roots", "looks")))


def _read_fit(folder: Path, details: dict[str, Any]) -> Fit:
    told = details["fit"] | {"asked": Asked(details["asked"], _array(folder / "asked", "vectors"))}
    basis = {
        path.stem.removeprefix("basis-"): _array(path.parent, path.stem)
        for path in (folder / "fit").glob("basis-*.npy")
    }
    sample = _array(folder / "fit", "sample")
    vectors = folder / "vectors"
    if not vectors.is_dir():
        return Fit(**told, basis=basis, sample=sample, lists=None)
    parts = {name: _array(vectors, name) for name in ("trained", "numbers", "codes")}
    keys = _array(vectors, "keys")
    found = folder / "bests"
    bests = None
    if found.is_dir():
        bests = Bests(*(_array(found, name) for name in ("queries", "items", "bounds")))
    lists = Lists(**parts)
    return Fit(**told, basis=basis, sample=sample, lists=lists, keys=keys, bests=bests)


def _array(folder: Path, name: str) -> Any:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
