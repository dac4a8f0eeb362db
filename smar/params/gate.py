"""The section `gate`."""

from smar.params.choice import KindSection
from smar.params.kinds import GATES, with_kinds


@with_kinds(GATES)
class GateParams(KindSection):
    """How much the picture counts for a query."""

    kind: str = "benefit"
    """Name of a file in smar/models/gate/."""
    visual_categories: list[str] = ["Clothing", "Shoes", "Bags", "Furniture"]
    """Category prefixes whose items are bought by eye; they label a query visual."""
