"""The language of a catalogue, for the stemmer of its words."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from smar.index.word_forms import NONE

logger = logging.getLogger(__name__)

# ISO 639-1 -> Snowball's stemmer.
_STEMMERS = {
    "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "cs": "czech",
    "da": "danish", "nl": "dutch", "en": "english", "et": "estonian", "fi": "finnish",
    "fr": "french", "de": "german", "el": "greek", "hi": "hindi", "hu": "hungarian",
    "id": "indonesian", "ga": "irish", "it": "italian", "lt": "lithuanian", "ne": "nepali",
    "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "fa": "persian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "es": "spanish",
    "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
_WITHOUT = ("zh", "ja", "ko", "th", "he", "uk", "bg", "vi")
_TEXTS = 2000
_AT_ONCE = 20  # texts of a few words are too short alone
_FEWEST_CHARS = 200
_MAJORITY = 0.6


def stemmer_of(texts: Sequence[str]) -> str:
    """Return Snowball's stemmer for the language of most texts, "none" where there is none.

    Fewer than a few sentences tell no language and are taken for English, as are texts of several
    languages: a stemmer that does not fit leaves most words as they are.
    """
    chosen = [text for text in texts[:: max(1, len(texts) // _TEXTS)] if text][:_TEXTS]
    if sum(map(len, chosen)) < _FEWEST_CHARS:
        return "english"
    votes: Counter[str] = Counter()
    for start in range(0, len(chosen), _AT_ONCE):
        joined = " ".join(chosen[start : start + _AT_ONCE]).lower()
        votes[str(_identifier().classify(joined)[0])] += 1
    language, most = votes.most_common(1)[0]
    is_clear = most >= _MAJORITY * votes.total()
    stemmer = _STEMMERS.get(language, NONE) if is_clear else "english"
    logger.info("words: languages %s; stemmer %s", dict(votes.most_common(3)), stemmer)
    return stemmer


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    known = set(identifier.labels)
    identifier.set_languages([code for code in (*_STEMMERS, *_WITHOUT) if code in known])
    return identifier
