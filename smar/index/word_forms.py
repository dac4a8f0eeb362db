"""The words of a text as an index keeps them: one form for every way to write a word.

Items and queries go through the same steps: NFKC (full width, ligatures), case folding, Latin
letters without their marks, words stemmed; digits and single characters stay. A model number is
found however its parts are parted ("wh1000xm4" is WH-1000XM4, "256 gb" is 256GB), and scripts
without blanks by their pairs of characters.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import regex
import Stemmer

# What decomposition does not part from its letter, and the dotless i: Turkish capital I is
# lower-cased to either i, so that both are one.
_LETTERS = str.maketrans(
    {"\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u0111": "d", "\u00f0": "d", "\u0142": "l",
     "\u00fe": "th", "\u0131": "i", "\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-",
     "\u2011": "-", "\u2013": "-"}
)  # fmt: skip
# Marks of Latin, Greek and Cyrillic; short vowels and the stretching of Arabic.
_MARKS = regex.compile(r"[\u0300-\u036f\u064b-\u0652\u0640]|\p{Cf}")
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\u30fc"
_POSSESSIVE = regex.compile(r"(?<=\p{L})'s\b")
_RUNS = regex.compile(rf"[{_CJK}]+|(?:(?![{_CJK}])[\p{{L}}\p{{M}}\p{{N}}.,'/_-])+")
_PLAIN_QUERY = re.compile(r"[a-z0-9 ]*")  # its runs are parted by blanks alone
_PIECES = regex.compile(r"\d+(?:[.,]\d+)+[\p{L}\p{M}]*|[\p{L}\p{M}\p{N}]+")
_IS_CJK = regex.compile(rf"[{_CJK}]")
_BETWEEN = regex.compile(r"[/_-]")
_AMOUNT = regex.compile(r"(\d+(?:\.\d+)*)(\p{L}+)|(\p{L}+)(\d+)")
_DIGIT = re.compile("[0-9]")
_OTHERS = regex.compile(r"[^\p{L}\p{N}]")
_GTIN = regex.compile(r"0*(\d{8,14})")
_FEWEST_OF_CODE = 4
_MOST_KEPT = 500_000  # runs of characters whose words are remembered while texts are read
_MOST_WRITTEN = 20_000  # the same of queries
NONE = "none"
STEMMERS = tuple(Stemmer.algorithms())


def fold(text: str) -> str:
    """Return a text whose spellings are one: NFKC, case folding, no marks, no ligatures."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold().translate(_LETTERS)
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))


def code_of(text: str) -> str:
    """Return the form of a SKU, an MPN or a GTIN that all its spellings share, "" for no code.

    Codes have a digit and four characters or more. A GTIN has no leading zeros: a UPC of 12 digits
    is the EAN of 13 that begins with 0.
    """
    if text.isascii() and not _DIGIT.search(text):  # most texts
        return ""
    code = _OTHERS.sub("", fold(text))
    if len(code) < _FEWEST_OF_CODE or not any(char.isdigit() for char in code):
        return ""
    gtin = _GTIN.fullmatch(code)
    return gtin[1].lstrip("0") if gtin else code


def runs_of(text: str) -> list[str]:
    """Return the characters of a text that stand together: what the words of each depend on."""
    if _PLAIN_QUERY.fullmatch(text):  # most queries
        return text.split()
    runs: list[str] = _RUNS.findall(_plain(text))
    return runs


class WordForms:
    """The words of texts, stemmed for one language.

    Args:
        stemmer: One of `STEMMERS`, or "none".
    """

    def __init__(self, stemmer: str) -> None:
        self.stemmer = stemmer
        self._stem = None if stemmer == NONE else Stemmer.Stemmer(stemmer)
        self._of_run: dict[str, list[str]] = {}
        self._written_run = lru_cache(_MOST_WRITTEN)(self._of_query_run)  # queries share words

    def of_text(self, text: str) -> list[str]:
        """Return every word of an item's text, with what its codes may also be searched by."""
        words: list[str] = []
        for run in _RUNS.findall(_plain(text)):
            of_run = self._of_run.get(run)
            if of_run is None:
                if len(self._of_run) >= _MOST_KEPT:
                    self._of_run.clear()
                units = self._units(run, is_query=False)
                of_run = self._of_run[run] = [word for unit in units for word in unit]
            words += of_run
        return words

    def of_query(self, text: str) -> list[list[str]]:
        """Return the words of a query, each with the other forms that it may be found by."""
        return [unit for _, unit in self.written(text)]

    def written(self, text: str) -> list[tuple[str, list[str]]]:
        """Return the words of a query as `of_query`, each after how the query writes it."""
        return [unit for run in runs_of(text) for unit in self._written_run(run)]

    def of_query_run(self, run: str) -> list[list[str]]:
        """Return the words of one of a query's `runs_of`, as `of_query` does of all."""
        return [unit for _, unit in self._written_run(run)]

    def _of_query_run(self, run: str) -> list[tuple[str, list[str]]]:
        """Return the words of characters that stand together, as `written` does."""
        units = self._units(run, is_query=True)
        pieces = _PIECES.findall(run)
        # A code is one word whatever it is parted by; of characters each pair is a word.
        alone = [run] if len(units) == 1 else [unit[0] for unit in units]
        return list(zip(pieces if len(pieces) == len(units) else alone, units, strict=True))

    def _units(self, run: str, *, is_query: bool) -> list[list[str]]:
        """Return the words of characters that stand together, each with its other forms."""
        if _IS_CJK.match(run):
            return [[word] for word in _pairs(run, with_singles=not is_query)]
        pieces = [piece.replace(",", ".") for piece in _PIECES.findall(run)]
        units = [self._with_parts(piece) for piece in pieces]
        whole = _BETWEEN.sub("", run.strip(".,'/_-"))
        if len(pieces) > 1 and _is_code(run, whole):
            return [[self._one(whole), *(word for unit in units for word in unit)]]
        return units

    def _with_parts(self, piece: str) -> list[str]:
        """Return a word, and amount and unit of "256gb", letters and number of "iphone8"."""
        if _GTIN.fullmatch(piece):
            return [code_of(piece) or piece]
        amount = _AMOUNT.fullmatch(piece)
        if amount is None:
            return [self._one(piece)]
        return [piece, *(self._one(part) for part in amount.groups() if part)]

    def _one(self, word: str) -> str:
        if self._stem is None or not word.isalpha():
            return word
        return self._stem.stemWord(word) or word


def _plain(text: str) -> str:
    folded = fold(text)
    return _POSSESSIVE.sub("", folded) if "'" in folded else folded


def _is_code(run: str, whole: str) -> bool:
    """Return whether parts that stand together may be written as one word.

    "wh-1000xm4" and "t-shirt" may; 1/2 is not 12, and a list parted by commas is no word.
    """
    if not whole.isalnum() or whole.isdigit():
        return False
    return "-" in run or any(char.isdigit() for char in whole)


def _pairs(run: str, *, with_singles: bool) -> Iterable[str]:
    """Return every two neighbours of a run of characters; single ones where asked or alone."""
    pairs = [run[place : place + 2] for place in range(len(run) - 1)]
    return [*(run if with_singles or not pairs else ""), *pairs]
