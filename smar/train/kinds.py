"""Names of kinds that params.yaml may hold, checked against the registries before any work."""

from smar.errors import ParamsError, list_problems, near_match
from smar.losses import LOSSES
from smar.models.fusion import FUSIONS
from smar.train.curriculum import CURRICULA
from smar.train.gating import GATE_LOSSES


def check_kinds(**kinds: str) -> None:
    """Refuse unknown kinds.

    Args:
        **kinds: Names by what they are of: loss, gate, fusion, curriculum.

    Raises:
        ParamsError: Names every key that is wrong, the value seen and the choices.
    """
    registries = {
        "loss": ("loss.kind", list(LOSSES)),
        "gate": ("gate.kind", list(GATE_LOSSES)),
        "fusion": ("model.fusion", list(FUSIONS)),
        "curriculum": ("curriculum.kind", list(CURRICULA)),
    }
    problems = []
    for part, value in kinds.items():
        key, choices = registries[part]
        if value not in choices:
            problems.append(
                f"{key}: unknown '{value}'; expected one of {', '.join(sorted(choices))}."
                f"{near_match(value, choices)}"
            )
    if problems:
        raise ParamsError(list_problems("params.yaml; nothing was started:", problems))
