"""Which categories are bought by eye."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def is_visual(category: pd.Series, visual_categories: list[str]) -> NDArray[np.bool_]:
    """Return which categories equal a visual category or lie below one ("Shoes > Boots")."""
    result = np.zeros(len(category), bool)
    for prefix in visual_categories:
        result |= (category == prefix).to_numpy(bool)
        result |= category.str.startswith(f"{prefix} > ").to_numpy(bool)
    return result
