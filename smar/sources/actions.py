"""What the names of actions mean: those of UBI and of the trackers that shops use."""

import re
from collections.abc import Mapping

from smar.data.schema import ACTIONS

IMPRESSION = "impression"
NONE = "none"
MEANINGS = (*ACTIONS, IMPRESSION, NONE)

# Without case and separators: "Product Added" and "productAdded" are product_added.
# What is not here is no engagement: what looks at a page (view, view_item), and steps on the way
# to an order whose end is logged too (begin_checkout).
_NAMES = {
    "click": (
        "click", "clicks", "clicked", "item_click", "item_clicked", "click_item", "product_click",
        "product_clicked", "click_product", "result_click", "search_result_click", "search_click",
        "click_through", "hit_click", "doc_click", "document_click",
        "select_item", "list_click",  # GA4; Snowplow
        "clicked_object_ids", "clicked_object_ids_after_search",  # Algolia
    ),
    "add_to_cart": (
        "add_to_cart", "added_to_cart", "cart", "cart_add", "add_cart",
        "add_to_basket", "basket_add", "add_to_bag", "add_item_to_cart",
        "product_added", "product_added_to_cart", "add_product",  # Segment
        "add_ecommerce_item",  # Matomo
    ),
    "purchase": (
        "purchase", "purchased", "buy", "bought", "buy_now", "checkout", "order", "ordered",
        "product_purchase", "product_purchased", "item_purchase", "item_purchased",
        "order_completed", "order_complete", "order_placed", "purchase_completed",
        "transaction", "transaction_item", "trans_item", "add_item",  # Snowplow
        "ecommerce_order", "track_ecommerce_order",  # Matomo
        "ecommerce_purchase",  # GA3 and GA4 for Firebase
    ),
    IMPRESSION: (
        "impression", "impressions", "item_impression", "product_impression", "result_impression",
        "view_item_list", "list_view", "product_list_viewed", "viewed_object_ids",
    ),
}  # fmt: skip
_BETWEEN = re.compile(r"[\W_]+")


def plain_name(name: str) -> str:
    """Return a name without case and separators: "Add to Cart" and "addToCart" are addtocart."""
    return _BETWEEN.sub("", name).lower()


_MEANING = {plain_name(name): meaning for meaning, names in _NAMES.items() for name in names}


class Actions:
    """What names of actions mean, those that params.yaml maps first.

    Args:
        mapped: Meaning by name, as the log writes it; of `MEANINGS`.
    """

    def __init__(self, mapped: Mapping[str, str]) -> None:
        self._mapped = {plain_name(name): meaning for name, meaning in mapped.items()}
        self._known: dict[str, str] = {}

    def meaning(self, name: str) -> str:
        """Return click, add_to_cart, purchase, impression or none."""
        meaning = self._known.get(name)
        if meaning is None:
            plain = plain_name(name)
            meaning = self._mapped.get(plain) or _MEANING.get(plain, NONE)
            self._known[name] = meaning
        return meaning
