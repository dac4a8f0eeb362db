"""The errors smar raises: one base class, one subclass per cause.

A message says what is wrong, the value seen, what was expected, where, and the next step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


class ClusterError(SmarError, RuntimeError):
    """The machines that work falls to do not answer, run other code, or are lost."""


class ReleaseError(SmarError, ValueError):
    """A release is missing or unknown, or cannot become the current one."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request.

    Args:
        field: Where in the request, as keys parted by dots ("filters.price"); "" for all of it.
        text: What is wrong, the value seen and what was expected.
    """

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}" if self.field else self.text


class RequestError(SmarError, ValueError):
    """A search is not asked for as it has to be; `problems` holds everything that is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(list_problems("The search cannot be answered:", [*map(str, problems)]))
        self.problems = list(problems)


class CheckError(SmarError, ValueError):
    """What a stage made does not pass its own checks."""


class ExportError(SmarError, ValueError):
    """What was trained cannot leave for another engine, or an export is not what it was."""


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
