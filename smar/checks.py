"""What stages found when they checked their own work: beside their figures, and a stop where asked.

They lie in the outcome of the stage under "checks", whether the stage went on or not,
so that `dvc repro`, Dagster and a person read the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a stage promises to check, as a part of its declaration.

    Args:
        text: One line: what holds if it passes.
        blocking: Whether the stage stops, with what it made before as it was.
    """

    text: str
    blocking: bool = True


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What one check found.

    Args:
        name: The check's name in the stage's declaration.
        passed: Whether what it says holds.
        text: What was seen; if it does not hold also the next step.
        figures: Numbers behind it.
        rows: What broke it, as a table of at most twenty rows.
    """

    name: str
    passed: bool
    text: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    rows: Sequence[Mapping[str, str]] = ()


def as_records(found: Sequence[Checked], checks: Mapping[str, Check]) -> list[dict[str, object]]:
    """Return outcomes as JSON holds them.

    Where a check failed the later ones may be missing: it can make no sense to go on to them.

    Raises:
        ValueError: If they are not of exactly the declared checks: one would be missing unseen.
    """
    names = [checked.name for checked in found]
    is_whole = sorted(names) == sorted(checks)
    is_cut = set(names) <= set(checks) and not all(checked.passed for checked in found)
    if not is_whole and not is_cut:
        raise ValueError(
            f"checks made: {', '.join(names)}; declared: "
            f"{', '.join(checks)}. Mend `checks` of the stage's STAGE, or what its run makes."
        )
    return [asdict(checked) | {"blocking": checks[checked.name].blocking} for checked in found]


def shown(names: Sequence[str], *, most: int = 20) -> str:
    """Return names as a list in words, at most `most` of them."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
