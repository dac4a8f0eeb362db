"""The retriever: a query tower with its gate, and item text, image and multimodal towers.

Shapes: Q queries, K vectors a query, B items, M pictures, L tokens, D embedding length.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from smar.models.attention import by_products
from smar.models.building import build_image_tower, build_text_tower
from smar.models.fusion import build_fusion
from smar.models.gate import build_gate
from smar.models.gate.base import GateWidths
from smar.models.image import ImageTower
from smar.models.low_rank import add_low_rank, is_added, merge_low_rank
from smar.models.onednn import by_onednn
from smar.models.origin import depths_of
from smar.models.pretrained import Checkpoint
from smar.models.searched import Searched
from smar.models.text import TextTower
from smar.models.tokenizer import TextTokenizer
from smar.params import FeaturesParams, FusionParams, ModelParams

_UNSAID = ("lengths", "shared_tower", "is_aligned")  # unless they are chosen


@dataclass(frozen=True)
class ModelOptions:
    """Choices beside the towers that a saved model has to remember.

    Args:
        fusion: Kind of the fusion.
        gate: Kind of the gate; "" before fine-tuning has chosen one.
        beta: Softness of the maximum over a query's vectors; without effect on a single one.
        field_markers: Whether item texts name their fields.
        shared_words: Whether query and text tower share their table of word vectors.
        shared_tower: Whether the query tower is the text tower.
        fusion_params: Parameters of the fusion; a missing one has its default.
        gate_params: Parameters of the gate; a missing one has its default.
        lengths: Numbers of an embedding that it is trained to be searched by; empty: all alone.
        is_aligned: Whether words and pictures were put into one space before training.
    """

    fusion: str
    gate: str
    beta: float
    field_markers: bool
    shared_words: bool
    shared_tower: bool = False
    fusion_params: dict[str, Any] = field(default_factory=dict)
    gate_params: dict[str, Any] = field(default_factory=dict)
    lengths: list[int] = field(default_factory=list)
    is_aligned: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the choices as plain JSON types; some only where they are made."""
        return {name: value for name, value in asdict(self).items() if value or name not in _UNSAID}


@dataclass(frozen=True)
class QueryOutput:
    """Queries as the retriever sees them.

    Args:
        embedding: Q, unit rows, [Q, D]; [Q, K, D] if a query has several vectors.
        gate_logit: Logit of P(q), [Q].
        norm: Mean norm before scaling, scalar.
    """

    embedding: Tensor
    gate_logit: Tensor
    norm: Tensor


@dataclass(frozen=True)
class ItemOutput:
    """Items as the retriever sees them; all in the space of the queries.

    Args:
        text: S_t, unit rows, [B, D].
        image: S_i, unit rows, zero without a picture, [B, D].
        multimodal: S_m, unit rows, equal to S_t without a picture, [B, D].
        has_picture: [B].
        text_norm: Mean norm of S_t before scaling, scalar.
        image_norm: Mean norm of S_i before scaling, scalar.
    """

    text: Tensor
    image: Tensor
    multimodal: Tensor
    has_picture: Tensor
    text_norm: Tensor
    image_norm: Tensor


class DualEncoder(nn.Module):
    """SMAR's towers with their tokenizers (Liu et al., SIGIR 2023).

    Args:
        query: The query tower.
        text: The item text tower.
        image: The item image tower.
        options: What else makes up the model.
        query_tokenizer: Tokenizer of the query tower.
        text_tokenizer: Tokenizer of the item text tower.

    Raises:
        ParamsError: If the fusion or the gate is unknown.
    """

    def __init__(
        self,
        *,
        query: TextTower,
        text: TextTower,
        image: ImageTower,
        options: ModelOptions,
        query_tokenizer: TextTokenizer,
        text_tokenizer: TextTokenizer,
    ) -> None:
        super().__init__()
        self.query, self.text, self.image = query, text, image
        self.options = options
        if options.shared_tower:
            query.become(text)
        elif options.shared_words:
            query.share_words(text)
        self.dim = text.projection.out_features
        self.fusion = build_fusion(
            options.fusion,
            options.fusion_params,
            text_width=text.width,
            image_width=image.width,
            dim=self.dim,
        )
        self.gate = build_gate(options.gate, options.gate_params, self._gate_widths())
        self.query_tokenizer, self.text_tokenizer = query_tokenizer, text_tokenizer
        self.searched = Searched()  # what encodes items reads beside their texts
        self.start: dict[str, float] = {}  # what its pretrained vectors found before training
        by_onednn(self)
        by_products(self)
        self.hold()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.query.projection.weight.device

    def pretrained_parameters(self) -> list[nn.Parameter]:
        """Return what came with pretrained models, their projections included.

        Of an aligned start also the map of pictures into the one space; words, which have a shop's
        queries to learn, are not among them.
        """
        towers = (self.query, self.text, self.image)
        added = {id(parameter) for name, parameter in self.named_parameters() if is_added(name)}
        found = [each for tower in towers for each in tower.pretrained_parameters()]
        if self.options.is_aligned:
            found += self.image.aligned_parameters()
        return [parameter for parameter in found if id(parameter) not in added]

    def set_aligned(self) -> None:
        """Remember that words and pictures were put into one space before training."""
        self.options = replace(self.options, is_aligned=True)

    def depths(self) -> dict[int, int]:
        """Return how many layers lie above each pretrained parameter, by its `id`."""
        found: dict[int, int] = {}
        for tower in (self.query, self.text, self.image):
            found |= depths_of(tower.backbone) if tower.source else {}
        return found

    def adapt(self) -> None:
        """Give towers with `unfreeze: lora` what training moves; `merge` takes it in."""
        for tower in (self.query, self.text, self.image):
            if tower.origin.unfreeze == "lora":
                add_low_rank(tower.backbone)
        self.hold()

    def merge(self) -> None:
        """Make towers with `unfreeze: lora` towers as any other, which find the same."""
        for tower in (self.query, self.text, self.image):
            merge_low_rank(tower.backbone)

    def hold(self) -> None:
        """Take from training what `unfreeze` says is to stay as it came."""
        for tower in (self.query, self.text, self.image):
            for parameter in tower.held_parameters():
                parameter.requires_grad_(False)

    def set_gate(self, kind: str, params: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Give the model another gate; weights that both have are kept."""
        with torch.random.fork_rng():  # what is drawn for it leaves the run's own numbers alone
            gate = build_gate(kind, params, self._gate_widths()).to(self.device)
        gate.load_state_dict(
            gate.state_dict()
            | {k: v for k, v in self.gate.state_dict().items() if k in gate.state_dict()}
        )
        self.gate = gate
        self.options = replace(self.options, gate=kind, gate_params=dict(params))

    def encode_query_tokens(self, ids: Tensor, lengths: Tensor) -> QueryOutput:
        """Return the embeddings and gates of queries: ids [Q, L], lengths [Q]."""
        output = self.query(ids, lengths)
        return QueryOutput(output.embedding, self.gate(output.pooled), output.norm)

    def encode_item_tokens(
        self, ids: Tensor, lengths: Tensor, pictures: Tensor, owner: Tensor
    ) -> ItemOutput:
        """Return the embeddings of items.

        Args:
            ids: Token ids, [B, L]; or pooled states [B, H] of a frozen text tower.
            lengths: Number of tokens, [B].
            pictures: uint8, [M, height, width, 3]; or features [M, F] of a frozen image tower.
            owner: Row of the item that each picture belongs to, ascending, [M].
        """
        text = self.text(ids, lengths)
        image = self.image(pictures, owner, len(ids))
        has_picture = image.mask.any(1)
        fused = self.gate.fold(text, image, self.fusion(text, image))
        multimodal = torch.where(has_picture[:, None], fused, text.embedding)
        return ItemOutput(
            text=text.embedding,
            image=image.embedding,
            multimodal=multimodal,
            has_picture=has_picture,
            text_norm=text.norm,
            image_norm=image.norm,
        )

    def settings(self) -> dict[str, Any]:
        """Return what, beside the weights, rebuilds the model; plain JSON types."""
        return {
            "dim": self.dim,
            "options": self.options.as_dict(),
            "query_vectors": self.query.vectors,
            "pooling": {"query": self.query.pooling, "text": self.text.pooling},
            "towers": {"query": self.query.settings(), "text": self.text.settings()},
            "image": self.image.settings(),
            "start": self.start,
        }

    def _gate_widths(self) -> GateWidths:
        return GateWidths(
            query=self.query.width,
            text=self.text.width,
            image=self.image.width,
            dim=self.dim,
        )


def build_model(
    params: ModelParams,
    fusion: FusionParams | None = None,
    *,
    query_tokenizer: TextTokenizer,
    text_tokenizer: TextTokenizer,
    picture_size: tuple[int, int],
    starts: Mapping[str, Checkpoint] = MappingProxyType({}),
    features: FeaturesParams | None = None,
) -> DualEncoder:
    """Return a model before training; random numbers come from torch's global generator.

    Its gate is a header that any kind can take over; fine-tuning chooses the kind. With shared
    words both text towers start from the same projection as well, so that texts of the same words
    are near each other from the first step on.

    Args:
        params: The `model` section of params.yaml.
        fusion: Its section `fusion`; None for the defaults.
        query_tokenizer: Tokenizer of the query tower.
        text_tokenizer: Tokenizer of the item text tower.
        picture_size: Height and width of the stored pictures, in pixels.
        starts: The pretrained model of each tower that has one, by its name.
        features: What is kept of a frozen picture backbone; None for the defaults.
    """
    vectors = params.query_vectors
    query, text = (
        build_text_tower(part, params.dim, tokenizer, count, start)
        for part, tokenizer, count, start in (
            (params.query, query_tokenizer, vectors.count, starts.get("query")),
            (params.text, text_tokenizer, 1, starts.get("text")),
        )
    )
    if params.shared_words and vectors.count == 1:
        query.projection.load_state_dict(text.projection.state_dict())
    return DualEncoder(
        query=query,
        text=text,
        image=build_image_tower(
            params.image, params.dim, picture_size, starts.get("image"), features
        ),
        options=ModelOptions(
            fusion=params.fusion,
            gate="",
            beta=vectors.beta,
            field_markers=params.field_markers,
            shared_words=params.shared_words,
            shared_tower=params.shared_tower,
            fusion_params=(fusion or FusionParams()).of(params.fusion).model_dump(),
            lengths=params.matryoshka,
        ),
        query_tokenizer=query_tokenizer,
        text_tokenizer=text_tokenizer,
    )
