"""Pretrained models in folders: what their files say of them; nothing here imports torch."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from smar.models.backbones import FAMILIES, Family, PictureFacts, TextFacts, family_of
from smar.models.preprocessing import PictureSettings, read_picture_settings
from smar.models.sentence import SentenceSettings, read_sentence_settings
from smar.params import ModelParams

SUFFIX = ".model"
PARTS = {"query": "text", "text": "text", "image": "vision"}


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained model in a folder.

    Args:
        name: As params.yaml says it.
        folder: Where its files lie.
    """

    name: str
    folder: Path

    @cached_property
    def whole(self) -> Any:
        """The config of the whole model, as transformers reads it."""
        from transformers import AutoConfig

        from smar.models.own_configs import register_configs

        register_configs()
        return AutoConfig.from_pretrained(str(self.folder), trust_remote_code=False)

    def config(self, part: str) -> Any:
        """Return the config of a part, "text" or "vision"; of a model with one part, the whole."""
        return getattr(self.whole, f"{part}_config", self.whole)

    @property
    def family(self) -> Family | None:
        """The family, None if no adapter knows the type."""
        return family_of(self.whole.model_type)

    @cached_property
    def sentence(self) -> SentenceSettings:
        """What the folder says as a sentence encoder's."""
        return read_sentence_settings(self.folder, self.name)

    def digest(self) -> str:
        """Return a digest of all of its files: other weights under the same name are another."""
        whole = sha256()
        for file in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            with file.open("rb") as content:
                inner = file_digest(content, "sha256").hexdigest()
            whole.update(f"{file.relative_to(self.folder)} {inner}\n".encode())
        return whole.hexdigest()

    @property
    def is_pair(self) -> bool:
        """Whether texts and pictures are in one space."""
        return bool(self.family and self.family.is_pair and hasattr(self.whole, "text_config"))

    def text_facts(self) -> TextFacts:
        """Return how its text model is read.

        Raises:
            ValueError: If it has none that smar reads.
        """
        read = self.family.text if self.family else None
        if self.family is None and self.sentence.pooling:
            return TextFacts(pooling=self.sentence.pooling)
        if read is None:
            raise ValueError(_unknown(self.whole.model_type, "texts", self.family))
        facts: TextFacts = read(self.config("text"))
        return facts

    def picture_facts(self) -> PictureFacts:
        """Return how its picture model is read.

        Raises:
            ValueError: If it has none that smar reads.
        """
        read = self.family.pictures if self.family else None
        if read is None:
            raise ValueError(_unknown(self.whole.model_type, "pictures", self.family))
        facts: PictureFacts = read(self.config("vision"))
        return facts

    def picture_settings(self) -> PictureSettings:
        """Return what is done to pictures before it sees them.

        Raises:
            ValueError: If its files do not say.
        """
        image_size = getattr(self.config("vision"), "image_size", None)
        return read_picture_settings(self.folder, image_size)

    def text_pooling(self, asked: str) -> str:
        """Return the pooling of its texts: the one asked for, or of "auto" the one of training.

        Raises:
            ValueError: If it makes no sense with the model.
        """
        facts = self.text_facts()
        if asked == "auto":
            return self.sentence.pooling or facts.pooling
        if asked == "cls" and facts.is_causal:
            raise ValueError(
                "pooling cls takes the first token, which in a causal model has seen no other: "
                "every text would get one and the same vector. Set pooling to auto"
            )
        return _has(asked, facts.pooling)

    def picture_pooling(self, asked: str) -> str:
        """Return the pooling of its pictures, as `text_pooling` does."""
        facts = self.picture_facts()
        if asked == "auto":
            return facts.pooling
        if asked == "cls" and not facts.prefix:
            raise ValueError(
                "pooling cls takes the first state, which in this model is a place of the picture "
                "(top left) like any other. Set pooling to auto"
            )
        return _has(asked, facts.pooling)


def checkpoints(params: ModelParams, backbones: Path) -> dict[str, Checkpoint]:
    """Return the checkpoint of every tower that starts from one, by the tower's name."""
    named = {tower: params.source_of(tower) for tower in PARTS}
    return {
        tower: Checkpoint(name, backbones / f"{name}{SUFFIX}")
        for tower, name in named.items()
        if name
    }


def _has(asked: str, pooling: str) -> str:
    """Return the pooling asked for, refused where it is the model's own and it has none."""
    if asked == "own" and pooling != "own":
        raise ValueError(f"it has no pooling of its own; set pooling to auto ({pooling})")
    return asked


def _unknown(model_type: str, what: str, family: Family | None) -> str:
    if family is not None:
        return f"{family.name} reads no {what}"
    kind = "text" if what == "texts" else "pictures"
    known = "; ".join(each.name for each in FAMILIES if getattr(each, kind))
    hint = ", or a folder of sentence-transformers that says its pooling" if kind == "text" else ""
    return f"no adapter reads {what} with a '{model_type}'; expected one of: {known}{hint}"
