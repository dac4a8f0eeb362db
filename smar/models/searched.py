"""Words of searches that a model has learned to read beside the texts of items."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

from smar.replace import write_file

FILE = "searched.parquet"


class Searched:
    """The words of items, by their id, as they were when the model was trained.

    An item that is not known has none, as one that nobody has clicked.

    Args:
        words: Of each item that has some, parted by blanks.
        file: Where they lie, as `write` left them, to be read when they are asked for.
    """

    def __init__(self, words: Mapping[str, str] | None = None, file: Path | None = None) -> None:
        self._given, self._file = dict(words or {}), file

    @classmethod
    def named(cls, item_ids: Sequence[str], words: Sequence[str]) -> Self:
        """Return the words of items, "" for none, [N] each."""
        return cls({name: of for name, of in zip(item_ids, words, strict=True) if of})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what `write` left in the folder of a model; nothing where it left nothing."""
        file = folder / FILE
        return cls(file=file if file.is_file() else None)

    def __bool__(self) -> bool:
        """Return whether any item has a word."""
        return self._file is not None or bool(self._given)

    def of(self, item_ids: Sequence[str]) -> list[str]:
        """Return the words of items, "" for none, [B]."""
        return [self._words.get(name, "") for name in item_ids]

    def write(self, folder: Path) -> None:
        """Write the words into the folder of a model; nothing where no item has one."""
        if not self:
            return
        import pandas as pd

        table = pd.DataFrame({"item_id": list(self._words), "words": list(self._words.values())})
        with write_file(folder / FILE) as temporary:
            table.to_parquet(temporary, index=False)

    @cached_property
    def _words(self) -> dict[str, str]:
        if self._file is None:
            return self._given
        import pandas as pd

        table = pd.read_parquet(self._file)
        return dict(zip(table["item_id"], table["words"], strict=True))
