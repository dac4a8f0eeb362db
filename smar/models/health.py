"""Whether a model's weights are numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from smar.checks import Checked, shown


def check_weights(weights: Mapping[str, Tensor]) -> Checked:
    """Return whether every weight is a finite number.

    Args:
        weights: Tensors by name, of any shape and type.
    """
    broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    step = (
        "Lower learning_rate of the stage in params.yaml, or set its precision to float32, and run "
        "it again"
    )
    return Checked(
        name="weights_are_finite",
        passed=not broken,
        text=f"NaN or infinity in {shown(broken)}. {step}" if broken else "all are finite",
        figures={"tensors": len(weights), "broken": len(broken)},
    )
