"""Where every artefact of a project lies, relative to the project's root folder."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The artefacts of one project.

    Args:
        root: The project's root folder: the one that holds dvc.yaml and params.yaml.
    """

    root: Path

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def accepted(self) -> Path:
        return self.data / "accepted"

    @property
    def items(self) -> Path:
        return self.accepted / "items.parquet"

    @property
    def queries(self) -> Path:
        return self.accepted / "queries.parquet"

    @property
    def searches(self) -> Path:
        return self.accepted / "searches.parquet"

    @property
    def engagements(self) -> Path:
        return self.accepted / "engagements.parquet"

    @property
    def judgements(self) -> Path:
        return self.accepted / "judgements.parquet"

    @property
    def images(self) -> Path:
        return self.data / "images"

    @property
    def quarantine(self) -> Path:
        return self.data / "quarantine"

    @property
    def synthetic(self) -> Path:
        return self.data / "synthetic"

    @property
    def features(self) -> Path:
        return self.data / "features"

    @property
    def embeddings(self) -> Path:
        return self.data / "embeddings"

    @property
    def index(self) -> Path:
        return self.data / "index"

    @property
    def backbones(self) -> Path:
        return self.root / "backbones"

    @property
    def start(self) -> Path:
        """The model before its first step, where its vectors find something already."""
        return self.root / "models" / "start"

    @property
    def pretrained(self) -> Path:
        return self.root / "models" / "pretrained"

    @property
    def retriever(self) -> Path:
        return self.root / "models" / "retriever"

    @property
    def release(self) -> Path:
        """The current release as an output of the pipeline: what DVC pushes and pulls."""
        return self.root / "models" / "release"

    @property
    def releases(self) -> Path:
        """Every release, and the link to the current one; never an output that DVC removes."""
        return self.root / "releases"

    @property
    def validation_report(self) -> Path:
        return self.root / "reports" / "validation"

    @property
    def evaluation_report(self) -> Path:
        return self.root / "reports" / "evaluation"

    def ingested(self, table: str) -> Path:
        """Return a table as ingest wrote it; only validate reads it."""
        return self.data / f"{table}.parquet"

    def profile(self, source: str) -> Path:
        """Return what is remembered of the data last accepted from a source."""
        return self.work / "validation" / f"{source}.json"

    @property
    def promotion_report(self) -> Path:
        return self.root / "reports" / "promote"

    @property
    def drift_report(self) -> Path:
        return self.root / "reports" / "drift"

    def metrics(self, stage: str) -> Path:
        """Return the few numbers of a stage that people compare between runs."""
        return self.root / "metrics" / f"{stage}.json"

    def outcome(self, stage: str) -> Path:
        """Return the whole record of a stage: every figure and what its checks found."""
        return self.root / "reports" / "outcomes" / f"{stage}.json"

    def history(self, stage: str) -> Path:
        """Return the table of values logged while a stage trained."""
        return self.root / "reports" / "training" / f"{stage}.tsv"

    @property
    def work(self) -> Path:
        """The untracked folder for checkpoints and caches, which survives `dvc repro`."""
        return self.root / ".smar"

    @property
    def shards(self) -> Path:
        """Where shards of pictures are kept whose home is an object store."""
        return self.work / "shards"
