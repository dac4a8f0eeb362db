"""The section `curriculum`."""

from smar.params.choice import KindSection
from smar.params.kinds import CURRICULA, with_kinds


@with_kinds(CURRICULA)
class CurriculumParams(KindSection):
    """The order in which pre-training learns its tasks."""

    kind: str = "joint"
    """Name of a file in smar/train/curricula/."""
