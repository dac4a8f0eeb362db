"""What is kept of a frozen picture backbone: levels of its states on a grid, and mean colours.

Shapes: M pictures, P places, W numbers of a place, H width of the pooled state, C channels.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Kept:
    """What is kept, and the sizes of what learns from it.

    Args:
        tokens: Places: "1", "4x4" (rows x columns) or "all" of the last level.
        levels: Resolutions of a convolutional network, the last ones.
        colour: Whether each place has its mean colour.
        hidden: Width of the layers on top.
        layers: Transformer layers on top; 0: an MLP over the mean of the places.
        heads: Their attention heads.
        adds: Whether what is learned is added to the backbone's own embedding, which is in a space
            with texts; it begins at zero then.
    """

    tokens: str
    levels: int
    colour: bool
    hidden: int
    layers: int
    heads: int
    adds: bool

    def seen(self) -> dict[str, Any]:
        """Return what decides the features, the sizes on top left out."""
        return {"tokens": self.tokens, "levels": self.levels, "colour": self.colour}

    def as_dict(self) -> dict[str, Any]:
        """Return the settings in plain JSON types."""
        return asdict(self)

    def grid(self, last: Tensor) -> tuple[int, int]:
        """Return rows and columns of the places, given the map of the last level."""
        if self.tokens == "all":
            return int(last.shape[2]), int(last.shape[3])
        rows, _, columns = self.tokens.partition("x")
        return int(rows), int(columns or rows)


@dataclass(frozen=True)
class FeatureShape:
    """How a picture's features lie in one flat row: the pooled state, then place after place.

    Args:
        pooled: H.
        places: P.
        widths: Numbers of each level at a place, the colour's three last; their sum is W.
    """

    pooled: int
    places: int
    widths: tuple[int, ...]

    @property
    def width(self) -> int:
        """Length of the row."""
        return self.pooled + self.places * sum(self.widths)

    def parts(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled states [M, H] and places [M, P, W] of rows [M, H + P * W]."""
        places = rows[:, self.pooled :].reshape(len(rows), self.places, sum(self.widths))
        return rows[:, : self.pooled], places


def levels_of(output: Any, states: Tensor, prefix: int, patches: tuple[int, int]) -> list[Tensor]:
    """Return the maps [M, C, height, width] of a backbone's output, one a resolution, last last.

    Args:
        output: Of a backbone that was asked for its hidden states.
        states: Its last states as others may attend to them, [M, places, C].
        prefix: States before those of places.
        patches: Rows and columns of its patches, where its states are a list.
    """
    hidden = getattr(output, "reshaped_hidden_states", None) or output.hidden_states or ()
    maps = [each for each in hidden if each.dim() == 4]
    if not maps:
        return [states[:, prefix:].transpose(1, 2).reshape(len(states), -1, *patches)]
    last_of = {tuple(each.shape[2:]): each for each in maps}
    return list(last_of.values())


def features_of(
    levels: list[Tensor], pooled: Tensor, pixels: Tensor, kept: Kept
) -> tuple[Tensor, FeatureShape]:
    """Return the features of pictures as rows, and how those are made up.

    Args:
        levels: Maps of the backbone.
        pooled: Its pooled states, [M, H].
        pixels: Pictures in [0, 1], [M, 3, height, width].
        kept: What is kept of them.
    """
    used = levels[-kept.levels :]
    grid = kept.grid(used[-1])
    if kept.colour:
        used = [*used, (pixels - 0.5) / 0.25]  # about as far from zero as normed states are
    pooled_maps = [
        functional.adaptive_avg_pool2d(each.float(), grid).flatten(2) for each in used
    ]  # [M, C, P]
    places = torch.cat(pooled_maps, dim=1).transpose(1, 2)  # [M, P, W]
    shape = FeatureShape(
        pooled.shape[1], grid[0] * grid[1], tuple(int(each.shape[1]) for each in used)
    )
    return torch.cat([pooled.float(), places.flatten(1)], dim=1), shape


class _Top(nn.Module):
    """What tops over frozen features begin with: norms, of each level by itself as they differ.

    Args:
        shape: How features are made up.
        levels: How many parts of a place are normed, the first ones.
    """

    def __init__(self, shape: FeatureShape, levels: int) -> None:
        super().__init__()
        self.widths = list(shape.widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in self.widths[:levels])
        self.pooled_norm = nn.LayerNorm(shape.pooled)

    def normed(self, states: Tensor) -> Tensor:
        """Return states [..., W] with their parts normed."""
        parts = list(torch.split(states, self.widths, dim=-1))
        for number, norm in enumerate(self.norms):
            parts[number] = norm(parts[number])
        return torch.cat(parts, dim=-1)


class TokenTop(_Top):
    """What learns from frozen features: a small Transformer over the places of a picture.

    Each level is normed by itself, for levels differ in size; one linear map makes a token of a
    place, another one of the pooled state, which stands first. Maps pooled states [M, H] and places
    [M, P, W] to states [M, 1 + P, hidden]; their mean stands for the picture.

    Args:
        shape: How features are made up.
        kept: What is kept, with the sizes of this.
        dim: Embedding length, of what is added to the backbone's own.
    """

    def __init__(self, shape: FeatureShape, kept: Kept, dim: int) -> None:
        super().__init__(shape, len(shape.widths) - kept.colour)
        self.of_place = nn.Linear(sum(self.widths), kept.hidden)
        self.of_pooled = nn.Linear(shape.pooled, kept.hidden)
        self.position = nn.Parameter(torch.zeros(1 + shape.places, kept.hidden))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                kept.hidden,
                kept.heads,
                4 * kept.hidden,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(kept.layers)
        )
        self.last_norm = nn.LayerNorm(kept.hidden)
        self.added = nothing_added(kept, dim)

    def forward(self, pooled: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return states [M, 1 + P, hidden], and their mean [M, hidden]."""
        tokens = self.of_place(self.normed(places))
        first = self.of_pooled(self.pooled_norm(pooled))[:, None]
        states = torch.cat([first, tokens], dim=1) + self.position
        for layer in self.layers:
            states = layer(states)
        normed: Tensor = self.last_norm(states)
        return normed, normed.mean(1)


class PooledTop(_Top):
    """What learns from frozen features at the least cost: an MLP over the mean of the places.

    The mean over places of each level and the pooled state, each normed by itself, go through
    `W_2 gelu(W_1 x)` with 4 times as many inner numbers. No place is looked at by itself but for
    fusions that attend to places: they have the MLP's state, and one linear map of each place.

    Args:
        shape: How features are made up.
        kept: What is kept, with the width of this.
        dim: Embedding length, of what is added to the backbone's own.
    """

    def __init__(self, shape: FeatureShape, kept: Kept, dim: int) -> None:
        super().__init__(shape, len(shape.widths))
        self.expand = nn.Linear(shape.pooled + sum(self.widths), 4 * kept.hidden)
        self.contract = nn.Linear(4 * kept.hidden, kept.hidden)
        self.of_place = nn.Linear(sum(self.widths), kept.hidden)
        self.position = nn.Parameter(torch.zeros(shape.places, kept.hidden))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.added = nothing_added(kept, dim)

    def mapping_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what the state of a picture is made by."""
        for part in (self.norms, self.pooled_norm, self.expand, self.contract):
            yield from part.parameters()

    def seen(self, pooled: Tensor, places: Tensor) -> Tensor:
        """Return what the MLP sees of a picture, [M, H + W]."""
        return torch.cat([self.pooled_norm(pooled), self.normed(places.mean(1))], dim=-1)

    def forward(self, pooled: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return states [M, 1 + P, hidden], the first being that of the picture [M, hidden]."""
        picture = self.contract(functional.gelu(self.expand(self.seen(pooled, places))))
        tokens = self.of_place(self.normed(places)) + self.position
        return torch.cat([picture[:, None], tokens], dim=1), picture


def nothing_added(kept: Kept, dim: int) -> nn.Linear | None:
    """Return the map that adds to the backbone's own embedding, zero; None where none is to."""
    if not kept.adds:
        return None
    added = nn.Linear(kept.hidden, dim, bias=False)
    nn.init.zeros_(added.weight)
    return added
