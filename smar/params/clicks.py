"""The section `clicks`."""

from smar.params.choice import KindSection
from smar.params.kinds import CLICKS, with_kinds


@with_kinds(CLICKS)
class ClicksParams(KindSection):
    """How much the engagements of the log say of a query and an item."""

    kind: str = "unweighted"
    """Name of a file in smar/train/clicks/."""
