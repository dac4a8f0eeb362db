"""Facebook and Instagram catalogues: Google's names, some of their own, and pictures as JSON."""

from smar.sources.feed_google import GOOGLE
from smar.sources.feed_kind import FeedKind

FACEBOOK = FeedKind(
    title="Facebook catalogue",
    columns={
        **GOOGLE.columns,
        "id": ("id", "retailer_id"),
        "title": ("title", "name"),
        "category": ("product_type", "google_product_category", "fb_product_category"),
        "group_id": ("item_group_id", "retailer_product_group_id"),
        "image_link": ("image_link", "image_url", "image_0_url", "image"),
        "additional_image_link": (
            *GOOGLE.columns["additional_image_link"],
            "additional_image_urls",
            *(f"image_{number}_url" for number in range(1, 21)),
        ),
        "mpn": ("mpn", "manufacturer_part_number"),
    },
    marks=frozenset({"fb_product_category"}),
)
