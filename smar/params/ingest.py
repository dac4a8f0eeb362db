"""The section `ingest`: what is read, and from where."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, field_validator

from smar.object_store import problems_of
from smar.params import names
from smar.params.section import Count, Fraction, Section, check_names


class DemoParams(Section):
    """The embedded demo shop."""

    num_items: Annotated[int, Field(ge=100)] = 3000
    """Items of the demo shop."""
    num_searches: Annotated[int, Field(ge=100)] = 24000
    """Searches of its simulated log."""


class FeedParams(Section):
    """A product feed; the format follows from the file."""

    file: str = "products.csv"
    """The feed, relative to `ingest.folder`; its ending says its format."""
    columns: dict[str, str] = {}
    """Our column -> the feed's, where they differ; images/{id}.jpg is a template, "" is off."""
    kind: str = "auto"
    """Whose export it is, for the names of its columns; "auto" finds it."""
    encoding: str = "auto"
    """Of csv, json and xml, such as cp1252; "auto" finds it."""
    separator: str = "auto"
    """Of csv and its like; "auto" finds it."""
    currency: Annotated[str, Field(pattern="^([A-Z]{3})?$")] = ""
    """Of prices that name none, such as EUR; also what "$" or "kr" mean."""
    decimals: Literal["auto", ".", ","] = "auto"
    """The mark before decimals; "auto" finds it, for each currency."""
    taxonomy: str = ""
    """Google's list of category numbers, beside the feed; "" knows the usual ones."""
    picture_roots: list[str] = []
    """Folders outside ingest.folder that links of the file system may lead to."""

    @field_validator("file")
    @classmethod
    def _check_ending(cls, value: str) -> str:
        endings = [part for part in Path(value).suffixes[-2:] if part.lower() not in names.PACKED]
        if endings:
            check_names([endings[-1].lower()], names.feed_endings(), "reader for the ending")
        return value

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, value: dict[str, str]) -> dict[str, str]:
        check_names(value, names.feed_columns(), "column")
        return value

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, value: str) -> str:
        check_names([value], ("auto", *names.feed_kinds()), "kind of feed")
        return value


Meaning = Literal["click", "add_to_cart", "purchase", "impression", "none"]


class LogParams(Section):
    """A search log; paths relative to `ingest.folder`."""

    kind: Literal["none", "ubi", "table"] = "ubi"
    """Form of the search log; none: there is none."""
    queries: str = "ubi_queries.ndjson.gz"
    """A file, a folder or a glob; the same as events, or "", where one file holds both."""
    events: str = "ubi_events.ndjson.gz"
    """What shoppers did; a file, a folder or a glob."""
    columns: dict[str, str] = {}
    """Our column name -> the log's, where they differ."""
    actions: dict[str, Meaning] = {}
    """What actions mean, by the name the log has, beside the names that are known."""
    positions: Literal["auto", 0, 1] = "auto"
    """What the first position is; "auto" finds it, by application."""
    dates: Literal["auto", "day_first", "month_first"] = "auto"
    """How 01/09/2026 is read; "auto" goes by the log's other dates, and never guesses."""

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, value: dict[str, str]) -> dict[str, str]:
        check_names(value, names.log_columns(), "column")
        return value


class JudgementParams(Section):
    """Judged test queries; paths relative to `ingest.folder`."""

    kind: Literal[
        "none", "trec", "beir", "esci", "table", "wands", "home_depot", "quepid", "opensearch"
    ] = "trec"
    """Form of the judgements; none: there are none."""
    queries: str = "test_queries.tsv"
    """The judged queries."""
    labels: str = "test_qrels.txt"
    """Their graded items."""
    columns: dict[str, str] = {}
    """Our column name -> theirs, where they differ."""
    grades: dict[str, NonNegativeInt] = {}
    """Grade by label, as the judgements write it."""
    scale: tuple[float, float] | Literal["auto"] = "auto"
    """Lowest and highest value, mapped on grades 0 to 3."""
    split: str = ""
    """Of tables with a column split: only this one."""
    locale: str = ""
    """Of tables with a column product_locale: only this one."""
    test_frac: Fraction = 0.5
    """Share of the judged queries that decide nothing and are never trained on."""

    @field_validator("scale", mode="plain")
    @classmethod
    def _check_scale(cls, value: object) -> tuple[float, float] | Literal["auto"]:
        if value == "auto":
            return "auto"
        if isinstance(value, list | tuple) and len(value) == 2:
            low, high = value
            numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in value)
            if numbers and low < high:
                return float(low), float(high)
        raise ValueError('expected "auto" or two numbers, the lower first, such as [1, 3]')


class ImageStoreParams(Section):
    """How pictures are packed."""

    height: Annotated[int, Field(ge=8, le=1024)] = 80
    """Height of a stored picture in pixels."""
    width: Annotated[int, Field(ge=8, le=1024)] = 64
    """Width of a stored picture in pixels."""
    max_pixels: Count = 40000000
    """A picture with more pixels is refused before it is decoded."""
    placeholder_items: Annotated[int, Field(ge=0)] = 20
    """A picture of so many different items says that there is none; 0 = all count."""
    store: str = ""
    """Where shards of pictures lie: s3://bucket/folder, an absolute folder; "" is data/images."""

    @field_validator("store")
    @classmethod
    def _check_store(cls, value: str) -> str:
        if value and (problems := problems_of(value)):
            raise ValueError(*problems)
        return value


class IngestParams(Section):
    """What is read, and from where."""

    source: Literal["demo", "feed"] = "demo"
    """The embedded demo shop, or a feed of your own."""
    folder: str = "data/raw"
    """What a feed source reads; every other file of this section is relative to it."""
    demo: DemoParams = DemoParams()
    feed: FeedParams = FeedParams()
    log: LogParams = LogParams()
    judgements: JudgementParams = JudgementParams()
    images: ImageStoreParams = ImageStoreParams()
    max_quarantined_frac: Fraction = 0.05
    """More bad rows than this share of any one input stop the stage."""
    max_unknown_frac: Fraction = 0.95
    """So do more rows that name an item or a search that is not there."""
    quarantine_limits: dict[str, Fraction] = {}
    """In place of both for one input: {engagements: 0.2}."""
    validation_frac: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the log's distinct queries held out for choices."""
