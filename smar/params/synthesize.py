"""The section `synthesize`."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from smar.params.kinds import GENERATORS, known, with_kinds
from smar.params.section import Count, Fraction, Section


@with_kinds(GENERATORS)
class SynthesizeParams(Section):
    """Synthetic queries from item texts."""

    ratio: Annotated[int, Field(ge=0)] = 100
    """Synthetic queries per real training query."""
    max_per_item: Count = 60
    """Most synthetic queries of one item."""
    min_tokens: Count = 1
    """Words of the shortest query."""
    max_tokens: Count = 6
    """Words of the longest query."""
    shares: dict[str, Fraction] = {"substring": 0.5, "field": 0.2, "attributes": 0.3}
    """Share of the queries that each generator makes, files in smar/synthetic/generators/; the sum
    is 1."""
    validation_frac: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Share of the texts held out for choices."""

    @field_validator("shares")
    @classmethod
    def _check_shares(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            known(GENERATORS)(name)
        if abs(sum(value.values()) - 1) > 1e-6:
            raise ValueError(f"the shares add up to {sum(value.values()):g}, expected 1")
        return value

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError("min_tokens must not exceed max_tokens")
        return self
