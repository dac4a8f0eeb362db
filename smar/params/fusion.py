"""The section `fusion`."""

from typing import Any

from smar.params.kinds import FUSIONS, with_kinds
from smar.params.section import Section


@with_kinds(FUSIONS)
class FusionParams(Section):
    """Parameters of every fusion; `model.fusion` names the one that is used."""

    def of(self, kind: str) -> Any:
        """Return the parameters of a fusion.

        Raises:
            ParamsError: If there is no such kind.
        """
        return getattr(self, FUSIONS[kind].name)
