"""The section `evaluate`."""

from typing import Annotated

from pydantic import Field

from smar.params.section import Count, Section


class EvaluateParams(Section):
    """What is measured on query sets."""

    cutoffs: Annotated[list[Count], Field(min_length=1)] = [1, 5, 10, 50]
    """Results that metrics are measured at."""
    relevant_grade: Count = 2
    """A judged item counts as relevant for recall, precision, F1 and MRR from this grade on."""
    primary: str = "recall@50"
    """The metric that promotion decides by."""
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Draws behind an interval."""
    examples: Count = 24
    """Queries shown with pictures."""
