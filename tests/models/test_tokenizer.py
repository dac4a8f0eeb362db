"""Tokenizers trained on a catalogue."""

from smar.models.tokenizer import train_tokenizer


def test_tokenizer_starts_with_cls_and_pads_to_the_longest():
    tokenizer = train_tokenizer(["red dress", "blue dress"] * 3, 300, 8)
    table = tokenizer.encode(["red dress", ""])
    cls = tokenizer.tokenizer.token_to_id("[CLS]")
    assert table.ids[:, 0].tolist() == [cls, cls]
    assert table.lengths.tolist() == [3, 1]
    assert table.ids[1, 1:].tolist() == [tokenizer.pad_id] * 2


def test_tokenizer_cuts_long_texts():
    tokenizer = train_tokenizer(["a b c d e f"] * 3, 300, 4)
    assert tokenizer.encode(["a b c d e f"]).lengths.tolist() == [4]


def test_tokenizer_folds_case_accents_and_width():
    tokenizer = train_tokenizer(["red dress"] * 3, 300, 8)
    table = tokenizer.encode(["red dress", "R\u00c9D Dress", "\uff52\uff45\uff44 dress"])
    assert (table.ids == table.ids[0]).all()


def test_tokenizer_trained_twice_is_the_same():
    texts = ["red dress", "blue shoe", "green bag", "sofa"] * 5
    first, second = (train_tokenizer(texts, 300, 8).tokenizer.to_str() for _ in range(2))
    assert first == second


def test_tokenizer_cut_elsewhere_has_the_same_pieces():
    long = train_tokenizer(["a b c d e f"] * 3, 300, 8)
    short = long.cut_at(4)
    text = ["a b c d e f"]
    assert short.encode(text).ids.tolist() == [long.encode(text).ids[0, :4].tolist()]
    assert long.encode(text).lengths.tolist() == [7]
    assert short.tokenizer.get_vocab() == long.tokenizer.get_vocab()
