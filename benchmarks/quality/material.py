"""What smar's towers are trained on in a shop, read once for all trainings that are compared."""

from collections.abc import Mapping
from functools import cached_property

from benchmarks.quality.shop import Shop
from smar.data.item_source import ItemSource
from smar.data.searched_words import SearchedWords
from smar.features.source import open_source
from smar.models.dual_encoder import DualEncoder, build_model
from smar.models.pretrained import Checkpoint, checkpoints
from smar.models.searched import Searched
from smar.models.tokenizer import TextTokenizer
from smar.params import Params
from smar.train.batching import BatchMaker
from smar.train.benefit import settle_gate
from smar.train.dataset import TrainingData
from smar.train.prepare import (
    build_maker,
    build_tokenizers,
    read_training_data,
    searched_words,
)


class Material:
    """Pairs, tokenizers and batches of a shop, and the towers that they train.

    Args:
        shop: The shop.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    @cached_property
    def data(self) -> TrainingData:
        """Pairs of the log and synthetic ones, together."""
        return self._read(clicks_suffice=False)

    @cached_property
    def clicks(self) -> TrainingData:
        """Pairs of the log alone."""
        return self._read(clicks_suffice=True)

    @cached_property
    def tokenizers(self) -> tuple[TextTokenizer, TextTokenizer]:
        """Of queries and of item texts."""
        shop = self.shop
        return build_tokenizers(shop.params.model, self.data.queries, shop.texts, self.starts)

    @cached_property
    def starts(self) -> Mapping[str, Checkpoint]:
        """The pretrained model of each tower that has one."""
        return checkpoints(self.shop.params.model, self.shop.paths.backbones)

    @cached_property
    def source(self) -> ItemSource:
        """Where towers take items from: pictures, or features of those that are frozen."""
        shop = self.shop
        return open_source(shop.paths.features, shop.images, self.towers(shop.params))

    @cached_property
    def makers(self) -> tuple[BatchMaker, BatchMaker]:
        """Batch makers of all pairs and of the log's alone; they know a model by its tokenizers."""
        items, model = self.shop.items, self.towers(self.shop.params)
        return (
            build_maker(model, self.data, items, self.source),
            build_maker(model, self.clicks, items, self.source),
        )

    def makers_of(
        self, model: DualEncoder, searched: SearchedWords | None
    ) -> tuple[BatchMaker, BatchMaker]:
        """Return batch makers, the log's with what searches say of items, if they are told it."""
        if searched is None:
            return self.makers
        clicks = build_maker(model, self.clicks, self.shop.items, self.source, searched=searched)
        return self.makers[0], clicks

    def searched(self, params: Params) -> SearchedWords | None:
        """Return the words of searches that items are told; None where none are asked for."""
        return searched_words(self.clicks, params.finetune.searched_words)

    def read(self) -> None:
        """Read what trainings need, so that the first one does not pay for all."""
        _ = self.makers

    def towers(self, params: Params) -> DualEncoder:
        """Return smar's model before its first step."""
        images, (query, text) = self.shop.images, self.tokenizers
        return build_model(
            params.model,
            params.fusion,
            query_tokenizer=query,
            text_tokenizer=text,
            picture_size=(images.height, images.width),
            starts=self.starts,
            features=params.features,
        )

    def tell(self, model: DualEncoder, searched: SearchedWords | None) -> None:
        """Give a trained model what searches say of the items, as a release has it."""
        if searched is not None:
            model.searched = Searched.named(list(self.shop.items["item_id"]), searched.all())

    def settle(
        self,
        model: DualEncoder,
        params: Params,
        seed: int,
        searched: SearchedWords | None = None,
    ) -> None:
        """Put a gate in the place of a trained model's header, and fit one that has to be."""
        items, source = self.shop.items, self.source
        settle_gate(model, params, self.clicks, items, source, seed, searched)

    def _read(self, *, clicks_suffice: bool) -> TrainingData:
        shop, params = self.shop, self.shop.params
        return read_training_data(
            shop.paths,
            shop.items,
            params.gate.visual_categories,
            params.clicks,
            clicks_suffice=clicks_suffice,
        )
