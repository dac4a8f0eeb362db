"""The section `promote`: the rules of a release."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from smar.params import names
from smar.params.section import Count, Fraction, Positive, Section, check_names


class PromoteParams(Section):
    """The rules of a release."""

    guard: Annotated[list[str], Field(min_length=1)] = ["recall@50", "ndcg@10"]
    """Metrics that a candidate must not be worse in."""
    margin: Fraction = 0.03
    """Overall, the lower end of the 95 % interval of the difference stays above `-margin`."""
    max_loss: Fraction = 0.01
    """A candidate that is worse overall by more, for sure, is refused."""
    anchor: Literal["best", "current"] = "best"
    """Whether the best release so far is compared with too, or the current one alone."""
    slice_margin: Fraction = 0.05
    """A protected slice that is worse by more, for sure, refuses the candidate."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Chance of refusing for a slice that is not worse."""
    protected: list[str] = ["visual", "non_visual", "head", "tail"]
    """Slices that may not get worse."""
    min_queries: Count = 20
    """Slices of fewer judged queries are shown, not judged."""
    min_index_recall: Fraction = 0.95
    """Share of the exact results that the index has to find."""
    max_latency_ms: Positive = 200
    """CPU time of one search on one thread, 95th percentile."""
    max_latency_ratio: Annotated[float, Field(ge=1)] = 2.0
    """Of that time to the current release's, measured in turns."""
    graph: bool = True
    """Write the query tower into the release as an ONNX graph too, which answers without torch."""
    examples: Annotated[int, Field(ge=0)] = 6
    """Queries that moved, shown with pictures."""

    @field_validator("protected")
    @classmethod
    def _check_slices(cls, value: list[str]) -> list[str]:
        check_names(value, names.slices(), "slice")
        return value
