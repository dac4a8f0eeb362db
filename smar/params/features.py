"""The section `features`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from smar.params.section import Count, Section


def _as_text(value: Any) -> Any:
    """Take the number 1 for its text: YAML reads it so."""
    return "1" if value == 1 and not isinstance(value, bool) else value


Tokens = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^(1|all|[1-9]\d?x[1-9]\d?)$")]


class FeaturesParams(Section):
    """What is kept of pictures as a frozen backbone sees them (`model.image.unfreeze: none`)."""

    tokens: Tokens = "4x4"
    """Places of a picture that are kept: 1, rows x columns such as 4x4, or all of the backbone's
    last level; each is the mean over its part of the picture."""
    levels: Count = 4
    """Resolutions of a convolutional network that are kept, the last ones: the last alone has lost
    colour. Other networks have one."""
    colour: bool = True
    """Whether the mean colour of each place is kept too."""
