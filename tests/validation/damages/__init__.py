"""Kinds of damage to a shop's tables, each with the rule that has to catch it."""

from .catalogue import CATALOGUE
from .engagements import ENGAGEMENTS
from .items import ITEMS
from .judgements import JUDGEMENTS
from .previous import PREVIOUS
from .queries import QUERIES
from .searches import SEARCHES
from .shop import Damage, DamagedShop

DAMAGES: list[Damage] = [
    *ITEMS,
    *CATALOGUE,
    *QUERIES,
    *SEARCHES,
    *ENGAGEMENTS,
    *JUDGEMENTS,
    *PREVIOUS,
]
__all__ = ["DAMAGES", "Damage", "DamagedShop"]
