"""Which queries are trained on, which are for choices, and which decide nothing."""

from collections.abc import Iterable
from hashlib import sha1, sha256

from smar.data.stems import bag_of_stems


def query_id_of(text: str) -> str:
    """Return the id of a logged query: "log-" and 12 hex digits of its normalised text."""
    return f"log-{sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]}"


def split_judged(texts: Iterable[str], test_frac: float, seed: int) -> dict[str, str]:
    """Return "test" or "trial" for every judged text, by a hash of its stems and the seed.

    Args:
        texts: Normalised texts.
        test_frac: Share that decides nothing, in [0, 1].
        seed: Another seed, another split.
    """
    return {
        text: "test" if _place(f"judged/{bag_of_stems(text)}", seed) < test_frac else "trial"
        for text in texts
    }


def split_logged(
    texts: Iterable[str], validation_frac: float, seed: int, judged: dict[str, str]
) -> dict[str, str]:
    """Return "train", "validation" or "apart" for every logged text.

    Texts with the same bag of stems go together, and where they go is a hash of the bag and the
    seed: it does not change when other queries come or go.

    Args:
        texts: Normalised texts.
        validation_frac: Share held out for choices, in [0, 1).
        seed: Another seed, another split.
        judged: Split of every judged text. What has the stems of a test query is left apart, so
            that nothing learns from it; what has those of a trial query is trained on, as shoppers
            are served with what they taught.
    """
    bags = {bag_of_stems(text): split for text, split in judged.items()}
    beside = {"test": "apart", "trial": "train"}
    result = {}
    for text in texts:
        bag = bag_of_stems(text)
        free = "train" if _place(bag, seed) >= validation_frac else "validation"
        result[text] = beside[bags[bag]] if bag in bags else free
    return result


def _place(text: str, seed: int) -> float:
    """Return a stable number in [0, 1) for a text."""
    digest = sha256(f"{seed}/{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
