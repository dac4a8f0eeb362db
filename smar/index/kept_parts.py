"""The parts of what is kept of an index: what was read, what was fitted, and their files.

Shapes: N items, Q queries, D embedding length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from smar.index.asked import Asked
from smar.index.basis import Basis, Hashed
from smar.index.bests import Bests
from smar.index.click_words import Clicks
from smar.index.item_words import ItemWords
from smar.index.lists import Lists
from smar.index.picture_colours import PictureColours

OF_TEXTS = ("words", "letters", "searched")
"""What is kept of texts, each in a folder of its name."""
_TYPED = "typed.json"
_ROWS = "rows-"  # and the name of a table
_OF_CLICKS = ("rows", "numbers", "asked")
_ARRAYS = ("keys", "starts", "numbers", "counts")  # of words
_TOLD = (
    "stemmer",
    "word_share",
    "click_words",
    "exclusive_words",
    "unseen_share",
    "relevance",
    "details",
    "figures",
)  # of a fit, in the manifest


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


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read of items, pictures, queries and rows, which is of each by itself.

    Args:
        words: The words of the items.
        letters: The same as they are spelled; None where no query is mended.
        searched: Those of the queries of clicks; None where nobody asks for them.
        clicks: What the items were found by; texts of queries are not kept.
        colours: Of all pictures; None where they were not looked at.
        rows: Hashes of blocks of each table, by its name.
        typed: How many of the queries that were trained on have each word, as it is spelled; None
            where no query is mended.
    """

    words: ItemWords | None = None
    letters: ItemWords | None = None
    searched: ItemWords | None = None
    clicks: Clicks | None = None
    colours: PictureColours | None = None
    rows: Mapping[str, Hashed] = field(default_factory=dict)
    typed: Mapping[str, int] | None = None

    @property
    def texts(self) -> dict[str, ItemWords]:
        """Those of words, letters and searched words that were read, by their names."""
        found = {name: getattr(self, name) for name in OF_TEXTS}
        return {name: words for name, words in found.items() if words is not None}


def told_of(fit: Fit) -> dict[str, Any]:
    """Return what a manifest says of a fit beside its arrays."""
    return {name: getattr(fit, name) for name in _TOLD}


def write_parts(folder: Path, read: Read, fit: Fit) -> None:
    """Write what was read and what was fitted into a folder."""
    for name, values in _arrays(read, fit):
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    for of, each in read.texts.items():
        (folder / of / "vocabulary.json").write_bytes(orjson.dumps(each.vocabulary))
    if read.typed is not None:
        (folder / _TYPED).write_bytes(orjson.dumps(read.typed))


def read_parts(folder: Path, *, is_looked_at_so: bool, is_hashed_so: bool) -> Read:
    """Return what was read.

    Args:
        folder: Where it lies.
        is_looked_at_so: Whether pictures are looked at as they were; else they were not looked at.
        is_hashed_so: Whether rows are hashed as they were; else none was.
    """
    words = {name: _read_words(folder / name) for name in OF_TEXTS if (folder / name).is_dir()}
    colours = None
    if is_looked_at_so and (folder / "colours").is_dir():
        names = ("keys", "roots", "looks")
        colours = PictureColours(*(_array(folder / "colours", name) for name in names))
    rows = {}
    if is_hashed_so:
        rows = {
            of.name.removeprefix(_ROWS): Hashed(*(_array(of, each.name) for each in fields(Hashed)))
            for of in folder.glob(f"{_ROWS}*")
        }
    clicks = None
    if (folder / "clicks").is_dir():
        of_clicks = {name: _array(folder / "clicks", name) for name in _OF_CLICKS}
        clicks = Clicks(**of_clicks, texts=pa.array([], pa.string()))
    typed = folder / _TYPED
    counts = orjson.loads(typed.read_bytes()) if typed.is_file() else None
    return Read(**words, colours=colours, rows=rows, typed=counts, clicks=clicks)


def read_fit(folder: Path, details: Mapping[str, Any]) -> Fit:
    """Return what was fitted.

    Args:
        folder: Where it lies.
        details: Of its manifest: `fit`, as `told_of` returned it, and the texts that were `asked`.
    """
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


def _arrays(read: Read, fit: Fit) -> Iterator[tuple[str, Any]]:
    """Yield the arrays by their names."""
    folders = {
        of: {name: getattr(words, name) for name in _ARRAYS} for of, words in read.texts.items()
    }
    folders["fit"] = {f"basis-{name}": hashes for name, hashes in fit.basis.items()}
    folders["fit"] |= {"sample": fit.sample}
    folders |= {"asked": {"vectors": fit.asked.vectors}}
    folders |= {f"{_ROWS}{name}": vars(hashed) for name, hashed in read.rows.items()}
    if read.colours is not None:
        folders["colours"] = vars(read.colours)
    if read.clicks is not None:
        folders["clicks"] = {name: getattr(read.clicks, name) for name in _OF_CLICKS}
    if fit.lists is not None:
        folders["vectors"] = {"keys": fit.keys} | vars(fit.lists)
        if fit.bests is not None:
            folders["bests"] = vars(fit.bests)
    for of, arrays in folders.items():
        yield from ((f"{of}/{name}", values) for name, values in arrays.items())


def _read_words(folder: Path) -> ItemWords:
    vocabulary = orjson.loads((folder / "vocabulary.json").read_bytes())
    return ItemWords(vocabulary=vocabulary, **{name: _array(folder, name) for name in _ARRAYS})


def _array(folder: Path, name: str) -> Any:
    return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
