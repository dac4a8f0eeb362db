"""The query tower's tokenizer for texts as shoppers type them."""

from tokenizers import Regex, Tokenizer, normalizers

from smar.data.schema import UNSEEN
from smar.models.tokenizer import TextTokenizer


def whole_tokenizer(tokenizer: TextTokenizer) -> str:
    """Return tokenizer.json: a query's normalisation first, cut at the longest, padded in a batch.

    Whoever loads it need not normalise. One letter differs from `normalize_query`: a capital sigma
    at the end of a word becomes the sigma of its middle.
    """
    whole = Tokenizer.from_str(tokenizer.tokenizer.to_str())
    steps = [
        normalizers.NFKC(),
        normalizers.Lowercase(),
        normalizers.Replace(Regex(UNSEEN), ""),
        normalizers.Replace("i\u0307", "i"),
        normalizers.Replace(Regex(r"\s+"), " "),
        normalizers.Strip(),
    ]
    if whole.normalizer is not None:
        steps.append(whole.normalizer)
    whole.normalizer = normalizers.Sequence(steps)
    whole.enable_truncation(tokenizer.max_tokens)
    name = whole.id_to_token(tokenizer.pad_id)
    whole.enable_padding(pad_id=tokenizer.pad_id, pad_token=name)
    return str(whole.to_str(pretty=True))
