"""Random numbers: one seed, a stream of its own for every purpose."""

from hashlib import sha256

import numpy as np


def generator(seed: int, *names: object) -> np.random.Generator:
    """Return the generator of a named stream; same seed and names, same numbers, any machine."""
    text = "/".join(str(name) for name in names)
    entropy = int.from_bytes(sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng([seed, entropy])


def seed_torch(seed: int) -> None:
    """Seed torch's global generators and ask for deterministic kernels."""
    import torch  # slow to import, and needed by training alone

    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
