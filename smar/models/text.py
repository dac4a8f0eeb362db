"""The query tower and the item text tower.

Shapes: B texts, L tokens, H hidden width, D embedding length, K vectors a text.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from smar.models.backbone import head_settings, head_width, hidden_size
from smar.models.origin import Origin, held
from smar.models.packed import Packed, read_packed, takes_packed
from smar.models.projection import new_projection

_GROUPS = 4
_LEAST = 32  # texts of a group


@dataclass(frozen=True)
class TowerOutput:
    """What a tower makes of a batch.

    Args:
        hidden: Last hidden states, zero behind a text's end, [B, L, H].
        pooled: One state for the whole, [B, H].
        mask: True at real positions, [B, L].
        embedding: Unit-norm embeddings, [B, D]; [B, K, D] of a query tower with several vectors.
        norm: Mean norm of the embeddings before they were scaled, scalar.
    """

    hidden: Tensor
    pooled: Tensor
    mask: Tensor
    embedding: Tensor
    norm: Tensor


class TextTower(nn.Module):
    """Tokens -> Transformer encoder -> pooling -> its own head -> linear -> unit norm.

    `Q(q) = norm(W pool(H_q))`: the paper's tower (SMAR, 2023) with a projection W, so that
    backbones of any width end in one space.

    Args:
        backbone: A `transformers` encoder with `last_hidden_state`.
        dim: Embedding length D.
        pooling: "cls" takes the first token (the paper), "mean" the mean over the tokens, which
            learns faster from nothing, "last" the last one, "own" what the backbone pools itself.
        vectors: K, vectors per text; above 1 as in DPSR, each a projection of its own.
        head: Layers that a checkpoint has behind the pooled state; None for none.
        padded_to: Every text is padded to so many tokens, which are read; 0 = padding is not.
        pad_id: Id of that padding.
        origin: Where it comes from; None for nothing.
    """

    def __init__(
        self,
        backbone: nn.Module,
        dim: int,
        pooling: str,
        vectors: int = 1,
        *,
        head: nn.Sequential | None = None,
        padded_to: int = 0,
        pad_id: int = 0,
        origin: Origin | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling, self.vectors = pooling, vectors
        self.padded_to, self.pad_id = padded_to, pad_id
        self.origin = origin or Origin()
        self.head = head if head is not None else nn.Sequential()
        self.width = hidden_size(backbone)
        own_width = head_width(self.head, self.width)
        self.projection = new_projection(own_width, dim, vectors, keeps=bool(self.source))

    @property
    def source(self) -> str:
        """The pretrained model that it starts from, "" for none."""
        return self.origin.source

    def settings(self) -> dict[str, Any]:
        """Return what, beside its pooling and its vectors, rebuilds it; plain JSON types."""
        return {
            "head": head_settings(self.head),
            "padded_to": self.padded_to,
            "pad_id": self.pad_id,
            "origin": asdict(self.origin),
        }

    def held_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that no training moves."""
        return held(self.backbone, self.head, self.origin)

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what came with a pretrained model, its projection included."""
        return self.parameters() if self.source else iter(())

    def share_words(self, other: "TextTower") -> None:
        """Take another tower's table of word vectors for this one's, as one parameter."""
        mine: Any = self.backbone
        theirs: Any = other.backbone
        mine.set_input_embeddings(theirs.get_input_embeddings())

    def become(self, other: "TextTower") -> None:
        """Take another tower's backbone, head and projection for this one's, as one."""
        self.backbone, self.head, self.projection = other.backbone, other.head, other.projection

    def forward(self, ids: Tensor, lengths: Tensor) -> TowerOutput:
        """Return hidden states and unit-norm embeddings of token ids [B, L], lengths [B].

        A frozen tower takes the pooled states that it gave before as well: floating-point ids
        [B, H], with lengths of 1.
        """
        if ids.is_floating_point():
            pooled = ids.float()
            hidden, mask = pooled[:, None], lengths[:, None] > 0
        else:
            mask = _pad_mask(ids, lengths)
            hidden, pooled = self._states(ids, lengths, mask)
        projected = self.projection(self.head(pooled)).float()  # [B, K * D]
        if self.vectors > 1:
            projected = projected.unflatten(1, (self.vectors, -1))  # [B, K, D]
        norm = projected.detach().norm(dim=-1).mean()
        return TowerOutput(hidden, pooled, mask, functional.normalize(projected, dim=-1), norm)

    def _states(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden states [B, L, H] and the pooled ones [B, H]; equal texts are read once.

        A step's queries repeat: an item of few queries draws the same one again.
        """
        if torch.compiler.is_exporting():  # what a graph does hangs on no text
            return self._read(ids, lengths, mask)
        texts, place = torch.unique(ids.masked_fill(~mask, -1), dim=0, return_inverse=True)
        if len(texts) == len(ids):
            return self._states_of(ids, lengths, mask)
        is_real = texts >= 0
        hidden, pooled = self._states_of(texts.clamp(min=0), is_real.sum(1), is_real)
        return hidden.index_select(0, place), pooled.index_select(0, place)

    def _states_of(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, each text read by itself.

        Where the backbone does not take texts side by side, those of similar length go together,
        so that little is spent on padding.
        """
        if not self.padded_to and self.pooling != "own" and takes_packed(self.backbone):
            return self._states_packed(ids, lengths)
        order = lengths.argsort(stable=True)
        states, pooled = [], []
        for rows in order.tensor_split(max(1, min(_GROUPS, len(ids) // _LEAST))):
            longest = int(lengths[rows].max())
            part, of_text = self._read(ids[rows, :longest], lengths[rows], mask[rows, :longest])
            states.append(functional.pad(part, (0, 0, 0, ids.shape[1] - longest)))
            pooled.append(of_text)
        back = order.argsort()
        return torch.cat(states)[back], torch.cat(pooled)[back]

    def _states_packed(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same of a backbone that takes texts side by side."""
        packed = Packed.of(lengths, ids.shape[1])
        states = read_packed(self.backbone, ids, packed)
        texts = packed.split(states)
        if self.pooling == "mean":
            pooled = [text.mean(1) for text in texts]
        else:
            pooled = [text[:, 0 if self.pooling == "cls" else -1] for text in texts]
        return packed.unpacked(states, (len(ids), ids.shape[1])), packed.of_texts(pooled)

    def _read(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of texts as the backbone reads them, zero behind their ends."""
        longest = ids.shape[1]
        if self.padded_to:
            blank = ids.masked_fill(~mask, self.pad_id)
            ids = functional.pad(blank, (0, self.padded_to - longest), value=self.pad_id)
            output = self.backbone(input_ids=ids)
        else:
            output = self.backbone(input_ids=ids, attention_mask=mask.long())
        hidden = output.last_hidden_state[:, :longest] * mask[..., None]
        if self.pooling == "own":
            return hidden, output.pooler_output
        if self.pooling == "cls":
            return hidden, hidden[:, 0]
        if self.pooling == "last":
            return hidden, hidden[torch.arange(len(ids), device=ids.device), lengths - 1]
        weights = mask / mask.sum(1, keepdim=True)  # [B, L]
        return hidden, torch.einsum("bl,blh->bh", weights.to(hidden.dtype), hidden)


def _pad_mask(ids: Tensor, lengths: Tensor) -> Tensor:
    """Return the mask [B, L] that is True for the first `lengths` tokens of each row."""
    return torch.arange(ids.shape[1], device=ids.device)[None, :] < lengths[:, None]
