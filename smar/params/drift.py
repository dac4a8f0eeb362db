"""The section `drift`."""

from typing import Annotated

from pydantic import Field

from smar.params.section import Count, Fraction, Positive, Section


class DriftParams(Section):
    """When the newest data differs enough from the release's reference to act."""

    window_days: Positive = 7
    """Today is the last days of the log."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Chance of any false alarm where nothing changed."""
    min_rows: Count = 30
    """Fewer rows than this raise no alarm."""
    max_distance: Positive = 0.15
    """Categories: Jensen-Shannon; numbers: Wasserstein over the standard deviation."""
    max_share_rise: Fraction = 0.05
    """Rise of unknown words, missing pictures, searches without result or click."""
    max_new_category: Fraction = 0.02
    """Share of items in categories that the release does not know."""
    max_not_indexed: Fraction = 0.1
    """Share of items that the release cannot find."""
    max_click_change: Positive = 0.25
    """Change of the click-through, relative."""
    max_quality_fall: Fraction = 0.05
    """Fall of the primary metric."""
    max_auc: Annotated[float, Field(ge=0.5, le=1)] = 0.6
    """Area under the curve of a classifier between then and now; 0.5 cannot tell."""
