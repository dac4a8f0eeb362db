"""What searches of the demo shop miss, by what is wished for, made so that the answer is known.

    python -m benchmarks.wishes --root PROJECT

PROJECT is a demo shop with a model and an index. Every wish that at least one item fulfils is
asked for once, at most `--most` of a kind, drawn by the seed; one that a training query has in any
wording is left out. Relevant is what the catalogue says, whatever titles leave out. A miss is a
relevant item that would fit into the first ten and is not there. Three systems: the gated vectors
alone, BM25 over the items' texts, and the search as a shopper gets it.

`--half odd` and `--half even` take the wishes whose words have an odd or even SHA-256: what is
chosen by one half is reported by the other.
"""

import argparse
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.slips import in_other_number
from smar.data import schema
from smar.data.misspell import misspell
from smar.data.stems import bag_of_stems
from smar.demo.catalogue import COLOURS, KINDS, PATTERNS, Kind, make_items
from smar.demo.log import Shop, Wish
from smar.judging.slices import LogFacts
from smar.params import load_params
from smar.paths import Paths
from smar.seeding import generator
from smar.service.request import SearchRequest
from smar.service.retriever import Retriever

TOP = 10
_RARE_COLOURS = 4
_NOUNS = {"striped": "stripes", "dotted": "dots", "checked": "checks"}
_SIZES = {"cable": "length", "coffee": "size", "detergent": "volume", "tablets": "strength"}
_NEGATED = ("{kind} not {word}", "{kind} without {noun}", "non {word} {kind}")


@dataclass(frozen=True)
class Asked:
    """A query and the items that it is about.

    Args:
        text: The query.
        relevant: True of these items, [N].
    """

    text: str
    relevant: NDArray[np.bool_]


class Wishes:
    """Queries of each kind over the items of a demo shop.

    Args:
        shop: Its items.
        queries: Its query table.
        engagements: What was clicked.
        seed: Draws slips.
    """

    def __init__(
        self, shop: Shop, queries: pd.DataFrame, engagements: pd.DataFrame, seed: int
    ) -> None:
        self._shop = shop
        self._log = LogFacts.of(queries, engagements, [item.item_id for item in shop.items])
        self._rng = random.Random(seed)  # noqa: S311 - nothing secret
        train = " ".join(queries.loc[queries["split"] == "train", "query"]).split()
        self._rare = sorted(COLOURS, key=train.count)[:_RARE_COLOURS]

    def slices(self) -> dict[str, list[Asked]]:
        """Return the queries of every kind."""
        visual = [kind for kind in KINDS if kind.is_visual]
        triples = [
            self._asked(f"{colour} {pattern} {kind.name}", kind, colour=colour, pattern=pattern)
            for kind, colour, pattern in product(visual, COLOURS, PATTERNS[1:])
        ]
        coloured = [
            self._asked(f"{colour} {kind.name}", kind, colour=colour)
            for kind, colour in product(visual, COLOURS)
        ]
        branded = [
            self._asked(f"{brand} {kind.name}", kind, brand=brand)
            for kind in KINDS
            for brand in kind.brands
        ]
        found = {
            "type, colour and pattern": triples,
            "type and colour": coloured,
            "a colour that is searched least": [
                asked for asked in coloured if asked.text.split()[0] in self._rare
            ],
            "brand and type": branded,
            "brand, colour and type": [
                self._asked(f"{brand} {colour} {kind.name}", kind, brand=brand, colour=colour)
                for kind in visual
                for brand, colour in product(kind.brands, COLOURS)
            ],
            "a size": list(self._sized()),
            "a size, parted": [Asked(_parted(each.text), each.relevant) for each in self._sized()],
            "plural": [Asked(in_other_number(each.text), each.relevant) for each in coloured],
            "one slip": [Asked(misspell(each.text, self._rng), each.relevant) for each in coloured],
            "a colour or pattern is not wanted": list(self._negated(visual)),
        }
        everything = [*triples, *coloured, *branded]
        found["half of the items or more were never clicked"] = [
            asked
            for asked in everything
            if asked.relevant.any() and self._log.is_cold[asked.relevant].mean() >= 1 / 2
        ]
        return {
            name: [each for each in asked if self._is_new(each)] for name, asked in found.items()
        }

    def _asked(self, text: str, kind: Kind, **facts: str) -> Asked:
        wish = Wish(kind.name, tuple(sorted(facts.items())))
        return Asked(text.lower(), self._shop.matched(wish) == len(facts))

    def _sized(self) -> Iterable[Asked]:
        for kind in KINDS:
            name = _SIZES.get(kind.name)
            if name is None:
                continue
            other = next(each for each in kind.attributes if each != name)
            for size, value in product(kind.attributes[name], kind.attributes[other]):
                yield self._asked(f"{value} {kind.name} {size}", kind, **{name: size, other: value})

    def _negated(self, visual: Sequence[Kind]) -> Iterable[Asked]:
        for kind in visual:
            of_kind = self._shop.matched(Wish(kind.name, ())) == 0
            for name, values in (("colour", COLOURS), ("pattern", PATTERNS[1:])):
                for value, form in product(values, _NEGATED):
                    noun = _NOUNS.get(value, value)
                    if "{noun}" in form and noun == value:
                        continue
                    text = form.format(kind=kind.name, word=value, noun=noun)
                    has = self._asked(text, kind, **{name: value}).relevant
                    yield Asked(text, of_kind & ~has)

    def _is_new(self, asked: Asked) -> bool:
        return bool(asked.relevant.any()) and bag_of_stems(asked.text) not in self._log.trained


def misses(
    asked: Sequence[Asked], rows: Iterable[Sequence[int] | NDArray[np.int64]]
) -> tuple[int, int]:
    """Return how many relevant items are wanted among the first ten, and how many are missed."""
    wanted = found = 0
    for each, of_query in zip(asked, rows, strict=True):
        wanted += min(TOP, int(each.relevant.sum()))
        found += int(each.relevant[np.asarray(of_query[:TOP], np.int64)].sum())
    return wanted, wanted - found


def searched(
    shop: Retriever, texts: Sequence[str], row_of: dict[str, int], **how: object
) -> list[list[int]]:
    """Return the rows that a shopper finds."""
    requests = [SearchRequest(query=text, limit=TOP, **how) for text in texts]  # type: ignore[arg-type]
    return [[row_of[hit.item_id] for hit in each.hits] for each in shop.answer_many(requests)]


def report(root: Path, most: int, half: str) -> None:
    """Print wanted and missed items of each kind of wish."""
    paths = Paths(root)
    params = load_params(paths.params)
    retriever = Retriever.load(root, "none")
    items = make_items(params.ingest.demo.num_items, generator(params.seed, "catalogue"))
    queries = schema.read_table(paths.queries, schema.QUERIES)
    engagements = schema.read_table(paths.engagements, schema.ENGAGEMENTS)
    slices = Wishes(Shop(items), queries, engagements, params.seed).slices()
    row_of = {item.item_id: row for row, item in enumerate(items)}
    of_index = np.array([row_of[item_id] for item_id in retriever.index.item_ids])
    print("| wish | queries | wanted | vectors | BM25 | search | gone of the vectors' |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, asked in slices.items():
        chosen = [each for each in asked if half in {"all", _half(each.text)}]
        drawn = generator(params.seed, "wishes", name).permutation(len(chosen))[:most]
        some = [chosen[place] for place in np.sort(drawn)]
        texts = [each.text for each in some]
        words = retriever.index.words.of_texts()
        wanted, by_vectors = misses(
            some, searched(retriever, texts, row_of, word_share=0.0, correct=False)
        )
        _, by_words = misses(some, (of_index[words.best(text, TOP)[0]] for text in texts))
        _, by_search = misses(some, searched(retriever, texts, row_of))
        gone = f"{1 - by_search / by_vectors:.0%}" if by_vectors else ""
        told = (len(some), wanted, by_vectors, by_words, by_search, gone)
        print(f"| {name} | {' | '.join(map(str, told))} |", flush=True)


def _parted(text: str) -> str:
    """Return a query with a blank between amounts and their units, and without one that had it."""
    *before, last = text.split()
    amount = last.rstrip("abcdefghijklmnopqrstuvwxyz")
    if amount == last or not amount:
        return " ".join([*before[:-1], before[-1] + last])
    return " ".join([*before, amount, last[len(amount) :]])


def _half(text: str) -> str:
    return "odd" if sha256(text.encode()).digest()[-1] % 2 else "even"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path())
    parser.add_argument("--most", type=int, default=300, help="queries of a kind")
    parser.add_argument("--half", choices=("all", "odd", "even"), default="all")
    options = parser.parse_args()
    report(options.root, options.most, options.half)


if __name__ == "__main__":
    main()
