"""What every section of params.yaml is made of."""

from collections.abc import Collection, Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from smar.errors import near_match

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
AboveOne = Annotated[float, Field(gt=1)]


class Section(BaseModel):
    """Base of every section: frozen, strict, with a default for every key.

    The text below a field says what it means; `smar params` prints it.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


def check_names(given: Iterable[str], known: Collection[str], word: str) -> None:
    """Refuse names that are not known; each with the near match.

    Raises:
        ValueError: With one text for every unknown name.
    """
    problems = [
        f"there is no {word} '{name}'; expected one of {', '.join(known)}.{near_match(name, known)}"
        for name in given
        if name not in known
    ]
    if problems:
        raise ValueError(*problems)
