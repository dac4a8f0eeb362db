"""Where a run keeps its state: another input, parameter or code is another run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from smar.models.tokenizer import TextTokenizer, train_tokenizer
from smar.params import ModelParams
from smar.paths import Paths
from smar.stages import declared
from smar.train import prepare
from smar.train.prepare import places


class StopHereError(Exception):
    """What a test stops a stage with."""


def test_checkpoint_of_other_settings_has_another_place(tmp_path: Path):
    paths = Paths(tmp_path)
    first = places(paths, "pretrain", {"seed": 1, "data/items": "a"}).checkpoint
    assert places(paths, "pretrain", {"data/items": "a", "seed": 1}).checkpoint == first
    for settings in ({"seed": 2, "data/items": "a"}, {"seed": 1, "data/items": "b"}, {"seed": 1}):
        assert places(paths, "pretrain", settings).checkpoint != first
    assert places(paths, "finetune", {"seed": 1, "data/items": "a"}).checkpoint != first


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_key_of_a_checkpoint_holds_every_input_of_the_stage(
    small_project: Path, stage: str, monkeypatch: pytest.MonkeyPatch
):
    from importlib import import_module

    seen: list[dict[str, object]] = []

    def spy(paths: Paths, name: str, settings: dict[str, object], kinds: object = ()) -> None:
        seen.append(settings)
        raise StopHereError

    monkeypatch.setattr(prepare, "places", spy)
    with pytest.raises(StopHereError):
        import_module(f"smar.stages.{stage}").run(small_project)
    inputs = declared()[stage].digests(small_project)
    assert inputs.items() <= seen[0].items()
    assert "seed" in seen[0]


def test_towers_learn_their_pieces_once_from_texts_evenly_spaced(monkeypatch: pytest.MonkeyPatch):
    read: list[list[str]] = []

    def spy(texts: Iterable[str], *settings: Any) -> TextTokenizer:
        read.append(list(texts))
        return train_tokenizer(read[-1], *settings)

    monkeypatch.setattr(prepare, "train_tokenizer", spy)
    monkeypatch.setattr(prepare, "_LEARNED_FROM", 4)
    queries = [f"query {n}" for n in range(9)]
    query, text = prepare.build_tokenizers(ModelParams(vocab_size=300), queries, ["b", "c"])
    assert read == [["b", "c", "query 0", "query 3", "query 6"]]
    assert query.tokenizer.get_vocab() == text.tokenizer.get_vocab()
    assert (query.max_tokens, text.max_tokens) == (
        ModelParams().query.max_tokens,
        ModelParams().text.max_tokens,
    )
