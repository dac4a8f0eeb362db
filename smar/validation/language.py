"""Which scripts and languages texts are written in, and which words they use."""

import re
from collections import Counter

import bm25s.stopwords as stopwords  # noqa: PLR0402 - the package may be imported later
import pandas as pd

from smar.data.membership import listed

# Stop words decide: short texts have few, but a catalogue has thousands of texts.
_STOPWORDS = {
    "da": stopwords.STOPWORDS_DANISH,
    "de": stopwords.STOPWORDS_GERMAN,
    "en": stopwords.STOPWORDS_EN,
    "es": stopwords.STOPWORDS_SPANISH,
    "fr": stopwords.STOPWORDS_FRENCH,
    "it": stopwords.STOPWORDS_ITALIAN,
    "nl": stopwords.STOPWORDS_DUTCH,
    "no": stopwords.STOPWORDS_NORWEGIAN,
    "pt": stopwords.STOPWORDS_PORTUGUESE,
    "ru": stopwords.STOPWORDS_RUSSIAN,
    "sv": stopwords.STOPWORDS_SWEDISH,
    "tr": stopwords.STOPWORDS_TURKISH,
}
_SCRIPTS = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"),
    "cyrillic": re.compile(r"[\u0400-\u052f]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "arabic": re.compile(r"[\u0600-\u06ff\u0750-\u077f]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
    "thai": re.compile(r"[\u0e00-\u0e7f]"),
    "hangul": re.compile(r"[\u1100-\u11ff\uac00-\ud7af]"),
    "han_kana": re.compile(r"[\u3040-\u30ff\u3400-\u9fff]"),
}
_WORD = re.compile(r"\b[^\W\d_]+\b")  # not the m of 2m
_LARGEST_SAMPLE = 20_000


def sample(texts: pd.Series) -> pd.Series:
    """Return at most 20,000 texts, evenly spread, so that a large catalogue costs no more."""
    return texts.iloc[:: max(1, -(-len(texts) // _LARGEST_SAMPLE))]


def script_shares(texts: pd.Series) -> dict[str, float]:
    """Return the share of each script among the texts with letters, by their most used script."""
    counts: Counter[str] = Counter()
    has_latin = _SCRIPTS["latin"].search
    for text in listed(texts):
        if text.isascii():  # no letter of another script
            counts["latin"] += has_latin(text) is not None
            continue
        letters = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
        best = max(letters, key=letters.__getitem__)
        if letters[best]:
            counts[best] += 1
    return _shares(+counts)


def language_counts(texts: pd.Series) -> dict[str, int]:
    """Return the number of texts of each language; texts whose stop words do not decide aside.

    Single letters (sizes, model numbers) and a single stop word decide nothing.
    """
    of_word: dict[str, list[str]] = {}
    for language, words in _STOPWORDS.items():
        for word in words:
            if len(word) == 1:
                continue
            of_word.setdefault(word, []).append(language)
    counts: Counter[str] = Counter()
    for text in listed(texts):
        told = [of_word[word] for word in _WORD.findall(text.lower()) if word in of_word]
        if len(told) < 2:
            continue
        hits: dict[str, int] = {}
        for languages in told:
            for language in languages:
                hits[language] = hits.get(language, 0) + 1
        if (most := max(hits.values())) > 1:
            best = [language for language, number in hits.items() if number == most]
            if len(best) == 1:
                counts[best[0]] += 1
    return dict(sorted(counts.items()))


def word_counts(texts: pd.Series) -> Counter[str]:
    """Return how often the texts use each word."""
    # Looked at as one text, which is faster: no word goes over the end of a line.
    return Counter(_WORD.findall("\n".join(listed(texts)).lower()))


def frequent_words(counts: Counter[str], most: int) -> list[str]:
    """Return the words that are used most, the most frequent first."""
    return [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]]


def known_words_frac(counts: Counter[str], known: list[str]) -> float:
    """Return the share of the words used that are known; 1 where there are no words."""
    if not counts:
        return 1.0
    return sum(counts[word] for word in set(known)) / counts.total()


def distance(one: dict[str, int], other: dict[str, int]) -> float:
    """Return how much of one mix would have to change to become the other, in [0, 1]."""
    left, right = _shares(Counter(one)), _shares(Counter(other))
    return sum(abs(left.get(name, 0.0) - right.get(name, 0.0)) for name in {*one, *other}) / 2


def _shares(counts: Counter[str]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: counts[name] / total for name in sorted(counts)}
