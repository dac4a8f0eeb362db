"""Google Merchant Center: csv, tsv, xml; and what follows its names, such as Bing and TikTok."""

from smar.sources.feed_kind import FeedKind

GOOGLE = FeedKind(
    title="Google Merchant Center",
    columns={
        "id": ("id",),
        "title": ("title",),
        "description": ("description", "content", "summary"),
        "brand": ("brand",),
        "category": ("product_type", "google_product_category"),
        "group_id": ("item_group_id",),
        "price": ("price",),
        "currency": ("currency",),
        "image_link": ("image_link",),
        "additional_image_link": (
            "additional_image_link",
            *(f"additional_image_link_{number}" for number in range(21)),
            "lifestyle_image_link",
        ),
        "sale_price": ("sale_price",),
        "sale_dates": ("sale_price_effective_date",),
        "availability": ("availability",),
        "gtin": ("gtin", "ean", "upc", "isbn", "barcode"),
        "mpn": ("mpn",),
        "size": ("size",),
        "colour": ("color", "colour"),
    },
)
