"""Whether a model's weights are numbers."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from smar.errors import ArtifactError


def broken_weights(path: Path) -> tuple[int, list[str]]:
    """Return how many tensors a model directory holds, and the names of those with NaN or infinity.

    Raises:
        ArtifactError: If the weights cannot be read.
    """
    file = path / "model.safetensors"
    try:
        with safe_open(file, framework="numpy") as weights:
            names = list(weights.keys())
            broken = [name for name in names if not np.isfinite(weights.get_tensor(name)).all()]
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{file}: cannot be read ({error}). Run `dvc repro` again.") from error
    return len(names), broken
