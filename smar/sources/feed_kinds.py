"""The kinds of feeds by name, and which one a file is."""

from collections.abc import Iterable

from smar.errors import DataError
from smar.sources.feed_facebook import FACEBOOK
from smar.sources.feed_google import GOOGLE
from smar.sources.feed_kind import FeedKind, spelling
from smar.sources.feed_magento import AKENEO, MAGENTO
from smar.sources.feed_shopify import SHOPIFY
from smar.sources.feed_woocommerce import WOOCOMMERCE

AUTO = "auto"
KINDS: dict[str, FeedKind] = {
    "google": GOOGLE,
    "facebook": FACEBOOK,
    "shopify": SHOPIFY,
    "woocommerce": WOOCOMMERCE,
    "magento": MAGENTO,
    "akeneo": AKENEO,
}


def feed_kind(name: str, columns: Iterable[str]) -> FeedKind:
    """Return a kind by name, or the one whose marks a feed has; Google's names are the default.

    Raises:
        DataError: If there is no such kind.
    """
    if name != AUTO:
        if name not in KINDS:
            raise DataError(
                f"ingest.feed.kind: {name!r} is none of {AUTO}, {', '.join(KINDS)} in params.yaml."
            )
        return KINDS[name]
    spelled = {spelling(column) for column in columns}
    marked = [kind for kind in KINDS.values() if kind.marks and kind.marks <= spelled]
    return marked[0] if marked else GOOGLE
