"""The errors smar raises: one base class, one subclass per cause.

A message says what is wrong, the value seen, what was expected, where, and the next step.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class SmarError(Exception):
    """Base of every error that a user of smar can cause or mend."""


class ParamsError(SmarError, ValueError):
    """params.yaml, or an argument that comes from it, is not valid."""


class DataError(SmarError, ValueError):
    """Input data cannot be read, or too much of it is bad."""


class ArtifactError(SmarError, ValueError):
    """An artefact (table, shard, model, index) is missing, damaged or of another kind."""


class ShapeError(SmarError, ValueError):
    """Tensors or arrays do not fit each other."""


class ReleaseError(SmarError, ValueError):
    """A release is missing or unknown, or cannot become the current one."""


class CheckError(SmarError, ValueError):
    """What a stage made does not pass its own checks."""


class TrainingError(SmarError, RuntimeError):
    """Training cannot go on, for example because the loss is not finite."""


def list_problems(headline: str, problems: Sequence[str], *, most: int = 20) -> str:
    """Return one message that lists every problem below a headline, at most `most` in full."""
    lines = [headline, *(f"  - {problem}" for problem in problems[:most])]
    if len(problems) > most:
        lines.append(f"  - and {len(problems) - most} more")
    return "\n".join(lines)


def near_match(name: str, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `choices`, or an empty string."""
    close = get_close_matches(name, list(choices), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""
