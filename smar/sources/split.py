"""Which queries are for training and which for choices."""

from collections.abc import Iterable
from hashlib import sha1, sha256


def query_id_of(text: str) -> str:
    """Return the id of a logged query: "log-" and 12 hex digits of its normalised text."""
    return f"log-{sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]}"


def split_queries(
    texts: Iterable[str], validation_frac: float, seed: int, keep: set[str]
) -> dict[str, str]:
    """Return "train" or "validation" for every normalised query text.

    The split is a hash of text and seed: it does not change when other queries come or go.

    Args:
        texts: Normalised texts.
        validation_frac: Share held out, in [0, 1).
        seed: Another seed, another split.
        keep: Texts that stay in training whatever their hash (the judged test queries: held out
            twice they would serve nobody).
    """
    return {
        text: "train" if text in keep or _place(text, seed) >= validation_frac else "validation"
        for text in texts
    }


def _place(text: str, seed: int) -> float:
    """Return a stable number in [0, 1) for a text."""
    digest = sha256(f"{seed}/{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
