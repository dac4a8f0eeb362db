"""Names of actions as trackers write them."""

import pytest

from smar.sources.actions import Actions, plain_name


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("click", "click"), ("CLICK_THROUGH", "click"), ("Product Clicked", "click"),
        ("select_item", "click"), ("list_click", "click"),
        ("addToCart", "add_to_cart"), ("Add to Cart", "add_to_cart"), ("ADDTOCART", "add_to_cart"),
        ("add-to-cart", "add_to_cart"), ("Product Added", "add_to_cart"),
        ("addEcommerceItem", "add_to_cart"), ("add_to_basket", "add_to_cart"),
        ("BUY", "purchase"), ("Order Completed", "purchase"), ("trackEcommerceOrder", "purchase"),
        ("transaction", "purchase"), ("impression", "impression"), ("view_item_list", "impression"),
        ("viewedObjectIDs", "impression"), ("begin_checkout", "none"), ("view_item", "none"),
        ("global_click", "none"), ("remove_from_cart", "none"), ("", "none"),
    ],
)  # fmt: skip
def test_names_of_trackers(name: str, meaning: str):
    assert Actions({}).meaning(name) == meaning


def test_mapped_names_come_first_in_any_spelling():
    actions = Actions({"Add To Wishlist": "add_to_cart", "checkout": "none"})
    assert actions.meaning("addToWishlist") == "add_to_cart"
    assert actions.meaning("checkout") == "none"


def test_plain_name_has_no_case_and_no_separators():
    assert plain_name(" viewedObject-IDs_") == "viewedobjectids"
