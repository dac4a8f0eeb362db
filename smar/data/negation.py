"""What a query says is not wanted: "shirt not red", "Kleid ohne Streifen", "robe sans rayures"."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2013", "-"))
_MARKS = "\"'()[]{}.,;:!?*/-\u00ab\u00bb\u201c\u201d\u201e"
_ENDS = re.compile(r"[,;:.!?)\]}]")


@dataclass(frozen=True, kw_only=True)
class Denials:
    """The words with which a language says what is not wanted.

    Args:
        one: Deny one word.
        reaching: Behind what is wanted they deny all that follows, before it one word.
        passed: Say nothing of what is denied ("not for kids").
        void: Behind a denial they make it say something else ("not only", "pas cher"), or name a
            kind of things ("no show socks", "souris sans fil").
        others: Go on with another word that is denied ("or").
        further: May stand before one of these words ("but not"); the first one goes on as `others`
            do behind words that reach ("and").
        denying: Further words of an item's text that say that it is without another one.
        prefix: Denies the word that it is joined with ("nonstick"), "" for none.
    """

    one: Sequence[str]
    reaching: Sequence[str]
    passed: Sequence[str]
    void: Sequence[str]
    others: Sequence[str]
    further: Sequence[str]
    denying: Sequence[str] = ()
    prefix: str = ""

    @property
    def negators(self) -> tuple[str, ...]:
        """Words of a query that deny."""
        return (*self.one, *self.reaching)

    @property
    def all_denying(self) -> tuple[str, ...]:
        """Words of an item's text beside which a word may say that the item is without it."""
        return (*self.negators, *self.denying)


DENIALS: Mapping[str, Denials] = {
    "english": Denials(
        one=("not", "non"),
        reaching=("no", "without"),
        passed=("a", "an", "any", "the", "in", "with", "for", "from", "of", "made", "added"),
        void=("your", "my", "our", "too", "so", "very", "only", "just", "to", "as", "all", "this",
              "that", "it", "is", "be", "more", "less", "much", "many", "longer", "yet", "even",
              "show", "iron"),
        others=("or", "nor"),
        further=("and", "but"),
        denying=("free", "zero", "less"),
        prefix="non",
    ),
    "german": Denials(
        one=("nicht", "kein", "keine", "keinen", "keinem", "keiner", "keines"),
        reaching=("ohne",),
        passed=("ein", "eine", "einen", "einem", "einer", "der", "die", "das", "den", "dem", "in",
                "mit", "aus", "von", "f\u00fcr"),
        void=("nur", "so", "zu", "sehr", "mehr", "ganz", "mein", "dein", "alle"),
        others=("oder", "noch"),
        further=("und", "aber"),
        denying=("frei", "freie", "freies", "freier"),
    ),
    "french": Denials(
        one=("pas", "non"),
        reaching=("sans",),
        passed=("de", "du", "des", "d", "le", "la", "les", "un", "une", "en", "avec", "pour",
                "aucun", "aucune"),
        void=("cher", "ch\u00e8re", "chers", "ch\u00e8res", "chere", "cheres", "trop", "tr\u00e8s",
              "seulement", "plus", "si", "que", "fil", "fils", "contact"),
        others=("ou", "ni"),
        further=("et", "mais"),
    ),
    "spanish": Denials(
        one=("no",),
        reaching=("sin",),
        passed=("el", "la", "los", "las", "un", "una", "de", "en", "con", "para"),
        void=("solo", "s\u00f3lo", "m\u00e1s", "mas", "muy", "tan", "tu", "mi"),
        others=("o", "u", "ni"),
        further=("y", "e", "pero"),
        denying=("libre",),
    ),
    "italian": Denials(
        one=("non",),
        reaching=("senza",),
        passed=("il", "lo", "la", "i", "gli", "le", "un", "uno", "una", "di", "in", "con", "per"),
        void=("solo", "pi\u00f9", "molto", "troppo", "tanto", "tuo", "mio",
              "filo", "fili"),
        others=("o", "n\u00e9", "oppure"),
        further=("e", "ed", "ma"),
        denying=("privo", "priva"),
    ),
    "dutch": Denials(
        one=("niet", "geen"),
        reaching=("zonder",),
        passed=("de", "het", "een", "in", "met", "van", "voor"),
        void=("alleen", "te", "zo", "zeer", "heel", "meer", "mijn", "jouw"),
        others=("of", "noch"),
        further=("en", "maar"),
        denying=("vrij",),
    ),
    "portuguese": Denials(
        one=("n\u00e3o", "nao"),
        reaching=("sem",),
        passed=("o", "a", "os", "as", "um", "uma", "de", "do", "da", "em", "com", "para"),
        void=("s\u00f3", "mais", "muito", "t\u00e3o", "seu", "meu", "fio",
              "fios"),
        others=("ou", "nem"),
        further=("e", "mas"),
        denying=("livre",),
    ),
    "swedish": Denials(
        one=("inte", "ej", "icke"),
        reaching=("utan",),
        passed=("en", "ett", "den", "det", "i", "med", "av"),
        void=("bara", "s\u00e5", "f\u00f6r", "mer", "mycket", "min", "din"),
        others=("eller",),
        further=("och", "men"),
        denying=("fri", "fritt", "fria"),
    ),
    "danish": Denials(
        one=("ikke", "ingen"),
        reaching=("uden",),
        passed=("en", "et", "den", "det", "i", "med", "af", "til"),
        void=("kun", "s\u00e5", "for", "mere", "meget", "min", "din"),
        others=("eller",),
        further=("og", "men"),
        denying=("fri", "frit"),
    ),
    "norwegian": Denials(
        one=("ikke", "ingen"),
        reaching=("uten",),
        passed=("en", "et", "ei", "den", "det", "i", "med", "av", "til"),
        void=("bare", "s\u00e5", "for", "mer", "mye", "min", "din"),
        others=("eller",),
        further=("og", "men"),
        denying=("fri", "fritt"),
    ),
}  # fmt: skip
"""By the stemmer of a catalogue's language."""


@dataclass(frozen=True)
class Unwanted:
    """Something that a query denies.

    Args:
        phrase: Words that an item shall not have all of, as the query writes them.
        joined: The one word that says so, if the catalogue has it ("nonstick"), else "".
    """

    phrase: tuple[str, ...]
    joined: str = ""


@dataclass(frozen=True)
class Negation:
    """A query in two parts.

    Args:
        wanted: What is left of it without the rest, joined words instead; at least one word.
        unwanted: What is denied; at least one thing.
    """

    wanted: str
    unwanted: tuple[Unwanted, ...]


def negation_of(
    text: str, language: str = "english", is_known: Callable[[str], bool] = lambda _: False
) -> Negation | None:
    """Return what a normalised query wants and does not want.

    None where the language is none of `DENIALS`, and where the query denies nothing, wants nothing
    beside, or what it denies is no word of letters or says something else than what is left out.

    After "not" and "non" one word is denied, and after "no" and "without" too where nothing stands
    before them ("no stripes dress"); behind what is wanted these deny all that follows ("dress
    without red stripes"), as far as the next comma. "or" and "nor" go on with another one, after
    "no" and "without" also "and".

    Args:
        text: The query.
        language: A stemmer.
        is_known: Whether the catalogue has a word: "non stick" may be its "nonstick".
    """
    denials = DENIALS.get(language)
    return None if denials is None else _Reader(text, denials, is_known).negation()


@dataclass(frozen=True)
class _Word:
    """A word of a query, without the marks around it, and whether a mark ends it."""

    text: str
    is_last: bool


class _Reader:
    """Reads a query from its first word to its last."""

    def __init__(self, text: str, denials: Denials, is_known: Callable[[str], bool]) -> None:
        self._denials, self._is_known = denials, is_known
        self._words = self._parted(text)
        self._place = 0
        self._wanted: list[str] = []
        self._unwanted: list[Unwanted] = []

    def negation(self) -> Negation | None:
        """Return what is found; None as of `negation_of`."""
        denials = self._denials
        while word := self._next():
            if word.text in denials.further and self._at() in denials.negators:
                continue
            if word.text not in denials.negators:
                self._wanted.append(word.text)
                continue
            can_reach = word.text in denials.reaching
            reaches = can_reach and bool(self._wanted)
            prefix = word.text if word.text == denials.prefix else ""
            while True:
                self._deny(self._phrase(reaches=reaches), prefix)
                if not self._goes_on(can_reach=can_reach):
                    break
                self._place += 1
        unwanted = tuple(self._unwanted)
        is_told = bool(unwanted) and all(map(self._is_told, unwanted))
        return Negation(" ".join(self._wanted), unwanted) if self._wanted and is_told else None

    def _parted(self, text: str) -> list[_Word]:
        """Return the words of a query, "non-floral" as two."""
        words: list[_Word] = []
        for written in text.translate(_HYPHENS).split():
            word = written.strip(_MARKS)
            end = bool(_ENDS.search(written[len(written.rstrip(_MARKS)) :]))
            start, _, rest = word.partition("-")
            if rest and start == self._denials.prefix:
                words += [_Word(start, is_last=False), _Word(rest, end)]
            elif word:
                words.append(_Word(word, end))
        return words

    def _next(self) -> _Word | None:
        self._place += 1
        return self._words[self._place - 1] if self._place <= len(self._words) else None

    def _at(self, further: int = 0) -> str:
        """Return a word that is still to be read, "" behind the last one."""
        place = self._place + further
        return self._words[place].text if place < len(self._words) else ""

    def _phrase(self, *, reaches: bool) -> tuple[str, ...]:
        """Return what is denied from here on."""
        denials, phrase = self._denials, list[str]()
        stops = (*denials.others, *denials.further, *denials.negators)
        while (word := self._at()) and word not in stops:
            self._place += 1
            if word not in denials.passed:
                phrase += word.split("-")
                if not reaches:
                    break
            if self._words[self._place - 1].is_last:
                break
        return tuple(phrase)

    def _goes_on(self, *, can_reach: bool) -> bool:
        denials, word, behind = self._denials, self._at(), self._at(1)
        if not behind or behind in denials.negators:
            return False
        goes_on = can_reach and word == denials.further[0] and behind not in denials.passed
        return word in denials.others or goes_on

    def _deny(self, phrase: tuple[str, ...], prefix: str) -> None:
        joined = prefix + phrase[0] if prefix and len(phrase) == 1 else ""
        joined = joined if joined and self._is_known(joined) else ""
        self._unwanted.append(Unwanted(phrase, joined))
        if joined:
            self._wanted.append(joined)

    def _is_told(self, unwanted: Unwanted) -> bool:
        """Return whether something is words of letters, none of which has another meaning here."""
        phrase = unwanted.phrase
        letters = (word.removesuffix("'s").removesuffix("\u2019s") for word in phrase)
        is_of_letters = bool(phrase) and all(map(str.isalpha, letters))
        return is_of_letters and phrase[0] not in self._denials.void
