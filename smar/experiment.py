"""Whether a stage runs as part of an experiment, which is judged and never released."""

import os

# What runs the stages names an experiment by these; both are absent in a plain run.
_NAMED_BY = ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")


def is_experiment() -> bool:
    """Return whether this process is part of an experiment."""
    return any(os.environ.get(name) for name in _NAMED_BY)
