"""Tokenizers: trained on the catalogue, or the one that belongs to a pretrained backbone."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from smar.data.token_table import TokenTable
from smar.errors import ParamsError

if TYPE_CHECKING:
    from smar.models.pretrained import Checkpoint
    from smar.params import TextTowerParams

_SPECIAL = ["[PAD]", "[CLS]"]
_BLOCK = 8192  # texts whose tokens are objects at once


class TextTokenizer:
    """A fast tokenizer with its padding id and longest length.

    Args:
        tokenizer: The `tokenizers` object; its post-processor puts the first token in place.
        pad_id: Id of the padding token.
        max_tokens: Longer texts are cut.
    """

    def __init__(self, tokenizer: Tokenizer, pad_id: int, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.pad_id = pad_id
        self.max_tokens = max_tokens
        tokenizer.enable_truncation(max_tokens)
        tokenizer.no_padding()

    def cut_at(self, max_tokens: int) -> "TextTokenizer":
        """Return one of the same pieces that cuts texts elsewhere."""
        copy = Tokenizer.from_str(self.tokenizer.to_str())
        return TextTokenizer(copy, self.pad_id, max_tokens)

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return int(self.tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str], starts: NDArray[np.int64] | None = None) -> TokenTable:
        """Return the token ids of texts; an empty text is its special tokens alone.

        Args:
            texts: The texts.
            starts: Where each of a text's fields begins, [N, F], as `field_starts` gives; the
                table then says which field each token belongs to.
        """
        parts = [
            self._encode(texts[start : start + _BLOCK], starts, start)
            for start in range(0, len(texts), _BLOCK)
        ]
        lengths = np.concatenate([np.empty(0, np.int32), *(part.lengths for part in parts)])
        shape = len(lengths), int(lengths.max(initial=1))
        ids = np.full(shape, self.pad_id, np.int32)
        fields = None if starts is None else np.full(shape, -1, np.int8)
        for part, start in zip(parts, range(0, len(texts), _BLOCK), strict=True):
            place = slice(start, start + len(part.lengths)), slice(part.ids.shape[1])
            ids[place] = part.ids
            if fields is not None and part.fields is not None:
                fields[place] = part.fields
        return TokenTable(ids, lengths, fields)

    def _encode(
        self, texts: Sequence[str], starts: NDArray[np.int64] | None, first: int
    ) -> TokenTable:
        """Return the tokens of some texts, the first of which is row `first` of `starts`."""
        encode = self.tokenizer.encode_batch_fast if starts is None else self.tokenizer.encode_batch
        encodings = encode(list(texts))
        encoded = [e.ids for e in encodings]
        lengths = np.fromiter((len(ids) for ids in encoded), np.int32, len(encoded))
        table = np.full((len(encoded), int(lengths.max(initial=1))), self.pad_id, np.int32)
        table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate(
            [np.asarray(ids, np.int32) for ids in encoded]
        )
        if starts is None:
            return TokenTable(table, lengths)
        fields = np.full(table.shape, -1, np.int8)
        for row, encoding in enumerate(encodings):
            spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)
            place = np.searchsorted(starts[first + row], spans[:, 0], side="right") - 1
            fields[row, : len(spans)] = np.where(spans[:, 1] > spans[:, 0], place, -1)
        return TokenTable(table, lengths, fields)


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, max_tokens: int, markers: Sequence[str] = ()
) -> TextTokenizer:
    """Return a byte-level BPE tokenizer trained on texts; `[CLS]` comes first.

    Case, accents and widths are folded; no text is unknown, as bytes are the alphabet. The same
    texts give the same tokenizer (the WordPiece trainer numbers its pieces in a random order).

    Args:
        texts: The texts.
        vocab_size: Most ids.
        max_tokens: Longer texts are cut.
        markers: Each of these is one token, wherever it stands in a text.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[*_SPECIAL, *markers],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", tokenizer.token_to_id("[CLS]"))]
    )
    return TextTokenizer(tokenizer, int(tokenizer.token_to_id("[PAD]") or 0), max_tokens)


def tokenizer_of(
    checkpoint: "Checkpoint", params: "TextTowerParams", *, is_query: bool
) -> TextTokenizer:
    """Return the tokenizer of a tower that starts from a pretrained model."""
    sentence = checkpoint.sentence
    own = sentence.query if is_query else sentence.passage
    prefix = own if params.prefix == "auto" else params.prefix
    lowers = checkpoint.text_facts().lowers
    return pretrained_tokenizer(checkpoint, params.max_tokens, prefix=prefix, lowers=lowers)


def pretrained_tokenizer(
    checkpoint: "Checkpoint", max_tokens: int, *, prefix: str = "", lowers: bool = False
) -> TextTokenizer:
    """Return the tokenizer of a pretrained model.

    What its texts begin with, and whether they are lower-cased, becomes part of the tokenizer, so
    that it travels with it.

    Raises:
        ParamsError: If there is none, or none of the fast kind.
    """
    from transformers import AutoTokenizer  # slow to import, and needed for this case only

    name = checkpoint.name
    try:
        loaded = AutoTokenizer.from_pretrained(str(checkpoint.folder), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ParamsError(
            f"pretrained: no tokenizer can be loaded from '{name}' ({error})."
        ) from error
    if not loaded.is_fast or loaded.pad_token_id is None:
        raise ParamsError(
            f"pretrained: the tokenizer of '{name}' has no fast form or no padding token; choose "
            "a model with a tokenizer.json."
        )
    tokenizer: Tokenizer = loaded.backend_tokenizer
    steps: list[normalizers.Normalizer] = [normalizers.Lowercase()] if lowers else []
    steps += [normalizers.Prepend(prefix)] if prefix else []
    steps += [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    return TextTokenizer(tokenizer, int(loaded.pad_token_id), max_tokens)
