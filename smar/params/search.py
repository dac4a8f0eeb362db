"""The sections `embed` and `index`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from smar.params.section import Count, Section


class EmbedParams(Section):
    """Item vectors."""

    batch_size: Count = 512
    """Items encoded at once."""


Stemmer = Literal[
    "auto", "none", "arabic", "armenian", "basque", "catalan", "czech", "danish", "dutch",
    "english", "estonian", "finnish", "french", "german", "greek", "hindi", "hungarian",
    "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian", "persian", "polish",
    "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish",
]  # fmt: skip


Weight = Annotated[float, Field(ge=0, le=1)]


class IndexParams(Section):
    """The index over vectors and words."""

    exact_below: Annotated[int, Field(ge=0)] = 50000
    """Fewer items than this are searched exactly."""
    dim: Annotated[int, Field(ge=0)] = 0
    """Numbers of S_t and of S_m that a search compares first; what it finds is scored again by all
    of them. 0: all at once. Train at this length: model.matryoshka."""
    storage: Literal["float32", "int8", "binary"] = "float32"
    """How the vectors that a search compares first are kept: whole, in 8 bits a number, or in one.
    What it finds is scored again by whole ones, which are read from a mapped file."""
    shards: Annotated[int, Field(ge=1, le=4096)] = 1
    """Files that the vectors are in: searched side by side and merged, with the results of one. An
    item's id says which, so that a changed item changes the file that it is in."""
    recall_target: Annotated[float, Field(gt=0, le=1)] = 0.97
    """Share of the exact results that an approximate index has to find."""
    recall_at: Count = 50
    """Results that recall is measured at."""
    sample_queries: Count = 500
    """Queries that an index is measured with, and items as queries, as many of each."""
    refit_frac: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of items, queries, engagements or judgements that may be other than those which lists
    of an approximate index, its settings, the words' share and relevance were fitted to, before
    these are fitted anew. 0: in every run; what comes out then depends on its inputs alone."""
    word_share: float | Literal["auto"] = "auto"
    """How much of an item's score its words are; "auto": what is best on validation queries; of
    a query with a word that no search has used, what is best for such words. A number: of all."""
    spelling: bool = True
    """Whether a word that neither items nor searches have is read as the one that it is a slip away
    from; off, it is searched as it was typed."""
    negation: bool = True
    """Whether items with what a query says is not wanted are left out ("shirt not red"); off, it is
    searched as it was typed."""
    picture_words: Weight = 0.5
    """What a word counts that an item's pictures tell and its text leaves out, beside one of its
    text; 0: pictures give no words."""
    click_words: Weight | Literal["auto"] = "auto"
    """What a word counts that searches used which led to an item and its text leaves out, beside
    one of its text; "auto": what is best on validation queries, of 0, .5 and 1, and 0 where
    `word_share` is a number or no search led to anything. 0: clicks give no words."""
    exclusive_words: Weight | Literal["auto"] = "auto"
    """What is taken from the share of the words of a query that an item's words exclude, as its
    clicks tell red and none ever tell red and blue; "auto": what is best on validation queries, of
    0, .5 and 1, and 0 where `word_share` is a number or no search led to anything. 0: nothing."""
    stemmer: Stemmer = "auto"
    """Which language's word endings are one; "auto": that of the catalogue."""

    @field_validator("word_share", mode="plain")
    @classmethod
    def _check_share(cls, value: object) -> float | Literal["auto"]:
        if value == "auto":
            return "auto"
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
            return float(value)
        raise ValueError('expected "auto" or a number from 0 to below 1')
