"""The language of a catalogue, from what its items say."""

import pytest

from smar.index.language import stemmer_of

TITLES = {
    "english": ["Red leather boot for women", "Blue striped shirt with pocket", "Warm winter hat"],
    "german": ["Rote Stiefel aus Leder", "Blaues Hemd mit Streifen", "Warme Mütze für den Winter"],
    "french": ["Bottes rouges en cuir", "Chemise bleue à rayures", "Bonnet chaud pour l'hiver"],
    "turkish": ["Kırmızı deri kadın botu", "Mavi çizgili gömlek", "Kışlık sıcak şapka"],  # noqa: RUF001
    "none": ["赤い革のブーツ", "青いストライプのシャツ", "冬の暖かい帽子です"],
}


@pytest.mark.parametrize("stemmer", TITLES)
def test_stemmer_of_a_catalogue(stemmer: str):
    assert stemmer_of(TITLES[stemmer] * 20) == stemmer


@pytest.mark.parametrize("texts", [[], [""], ["Boot 1", "Boot 2"]])
def test_few_words_are_taken_for_english(texts: list[str]):
    assert stemmer_of(texts) == "english"


def test_mixed_catalogue_is_taken_for_english():
    mixed = [text for titles in TITLES.values() for text in titles * 20]
    assert stemmer_of(mixed) == "english"
