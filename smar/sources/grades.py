"""Grades of every scale as whole numbers from 0."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

# Labels in words. Shopping Queries (ESCI): the gains of the data set's paper are E 1, S .1, C .01.
# WANDS: its paper's gains are 1, .5 and 0; "Partial" is no answer to the query as it stands.
WORDS = {
    "e": 3, "exact": 3, "s": 2, "substitute": 2, "c": 1, "complement": 1, "i": 0, "irrelevant": 0,
    "partial": 1, "true": 1, "yes": 1, "false": 0, "no": 0,
}  # fmt: skip
TOP = 3  # grade of the upper end of a scale that is mapped: that of an exact answer in ESCI
_HIGHEST = 10  # whole grades up to here are taken as they are
_PERCENT = 100
_SHOWN = 12
NO_NUMBER = "grade is not a number (map it in ingest.judgements.grades)"
BELOW = "grade is below 0 (map it in ingest.judgements.grades)"
OUTSIDE = "grade is outside the scale (set ingest.judgements.scale)"


@dataclass(frozen=True)
class Grades:
    """Grades that were read.

    Args:
        grade: Whole numbers, missing where there is none (Int64).
        reason: Why there is none, "" where there is one.
        notes: What was done to them, in words.
    """

    grade: pd.Series
    reason: pd.Series
    notes: list[str] = field(default_factory=list)


def read_grades(
    values: pd.Series, mapped: Mapping[str, int], scale: Sequence[float] | str
) -> Grades:
    """Return the grades of labels.

    Args:
        values: Texts: numbers, or labels in words.
        mapped: Grade by label, before anything else.
        scale: Lowest and highest value, mapped linearly on 0 to 3 and rounded (halves up); or
            "auto": whole numbers up to 10 are grades; numbers up to 1 a scale from 0 to 1, from 1
            to 3 one of relevance judges (1 is irrelevant), up to 10 averages of grades, up to 100
            percent.
    """
    plain = _numbers_plain(values.str.strip().str.lower())
    own = {label.strip().lower(): grade for label, grade in mapped.items()}
    fixed = plain.map({**WORDS, **own}).astype("Float64")
    number = pd.to_numeric(plain.where(fixed.isna()), errors="coerce").astype("Float64")
    reason = pd.Series("", index=values.index, dtype=object)
    reason[fixed.isna() & number.isna()] = NO_NUMBER
    usable = number[number >= 0] if scale == "auto" else number.dropna()
    if scale == "auto":
        reason[number < 0] = BELOW
    chosen = _scale_of(usable) if scale == "auto" else (float(scale[0]), float(scale[1]))
    if chosen is None:
        scaled = (usable + 0.5).floordiv(1)
        too_high = scaled > _HIGHEST
    else:
        low, high = chosen
        scaled = ((usable - low) / (high - low) * TOP + 0.5).floordiv(1)
        too_high = (usable < low) | (usable > high)
    reason[usable.index[too_high.to_numpy(bool)]] = OUTSIDE
    grade = fixed.fillna(scaled.reindex(values.index)).where(reason == "").astype("Int64")
    return Grades(grade, reason, _notes(values, grade, chosen))


def _numbers_plain(texts: pd.Series) -> pd.Series:
    """Return texts whose numbers have no "%" and a point before their decimals.

    A comma parts decimals where every number with one has it once and before up to three digits,
    and none has a point.
    """
    texts = texts.str.replace(r"^([\d.,]+)\s*%$", r"\1", regex=True)
    decimal = texts.str.fullmatch(r"-?\d+,\d{1,3}")
    if not decimal.any() or texts.str.fullmatch(r"-?[\d,]*\.\d+").any():
        return texts
    return texts.where(~decimal, texts.str.replace(",", "."))


def _scale_of(numbers: pd.Series) -> tuple[float, float] | None:
    """Return the ends of the scale that numbers from 0 are on, None if they are grades."""
    if numbers.empty:
        return None
    least, most = float(numbers.min()), float(numbers.max())
    is_whole = bool((numbers % 1 == 0).all())
    if most > _HIGHEST:
        return (0.0, float(_PERCENT)) if most <= _PERCENT else None
    if is_whole:
        return None
    if most <= 1:
        return 0.0, 1.0
    return (1.0, 3.0) if least >= 1 and most <= 3 else None


def _notes(values: pd.Series, grade: pd.Series, chosen: tuple[float, float] | None) -> list[str]:
    """Return what became of which value, with how many there are."""
    table = pd.DataFrame({"value": values.str.strip(), "grade": grade}).dropna()
    counted = table.value_counts().reset_index(name="rows")
    changed = counted[counted["value"].map(_plain) != counted["grade"].astype(str)]
    if changed.empty:
        return []
    shown = changed.sort_values(["grade", "value"], kind="stable")[:_SHOWN]
    pairs = ", ".join(f"{v} is {g} ({n})" for v, g, n in shown.itertuples(index=False, name=None))
    more = f", and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    scale = f" on a scale from {chosen[0]:g} to {chosen[1]:g}" if chosen else ""
    return [f"grades{scale}: {pairs}{more} (see ingest.judgements.scale and grades)"]


def _plain(value: str) -> str:
    return re.sub(r"^(\d+)\.0*$", r"\1", value)
