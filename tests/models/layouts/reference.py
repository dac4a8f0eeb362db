"""CLIP and SigLIP as open_clip computes and names them, at any size, written out once more.

Where open_clip is installed, `test_open_clip.py` holds them against it.
"""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from tests.models.backbones.conftest import write_tokenizer

WIDTH, LAYERS, EDGE, PATCH, LENGTH, VOCAB = 24, 2, 32, 8, 16, 320
PLACES = (EDGE // PATCH) ** 2
_SIZES = {"width": WIDTH, "layers": LAYERS}
CLIP: dict[str, Any] = {
    "embed_dim": 20,
    "quick_gelu": True,
    "vision_cfg": _SIZES | {"image_size": EDGE, "head_width": 12, "patch_size": PATCH},
    "text_cfg": _SIZES | {"context_length": LENGTH, "vocab_size": VOCAB, "heads": 2},
}
SIGLIP: dict[str, Any] = {
    "embed_dim": WIDTH,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": EDGE,
        "timm_model_name": "vit_base_patch16_siglip_224",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": _SIZES
    | {
        "context_length": LENGTH,
        "vocab_size": VOCAB,
        "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "heads": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
    },
}


class QuickGelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, heads: int, act: nn.Module, eps: float) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH, eps), nn.LayerNorm(WIDTH, eps)
        self.attn = nn.MultiheadAttention(WIDTH, heads, batch_first=True)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(WIDTH, 4 * WIDTH), gelu=act, c_proj=nn.Linear(4 * WIDTH, WIDTH)
            )
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        n = self.ln_1(x)
        x = x + self.attn(n, n, n, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Layers(nn.Module):
    def __init__(self, act: type[nn.Module], eps: float) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(2, act(), eps) for _ in range(LAYERS))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Text(nn.Module):
    def __init__(self, act: type[nn.Module], eps: float, projection: Any) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(VOCAB, WIDTH)
        self.positional_embedding = nn.Parameter(torch.empty(LENGTH, WIDTH))
        self.transformer = Layers(act, eps)
        self.ln_final = nn.LayerNorm(WIDTH, eps)
        self.text_projection = projection

    def states(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        return self.ln_final(self.transformer(x, mask))


class ClipVisual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(WIDTH))
        self.positional_embedding = nn.Parameter(torch.empty(PLACES + 1, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.transformer = Layers(QuickGelu, 1e-5)
        self.proj = nn.Parameter(torch.empty(WIDTH, 20))

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([first, x], 1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class Clip(Text):
    def __init__(self) -> None:
        super().__init__(QuickGelu, 1e-5, nn.Parameter(torch.empty(WIDTH, 20)))
        self.visual = ClipVisual()
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    def texts(self, ids: Tensor) -> Tensor:
        mask = torch.full((ids.shape[1],) * 2, -torch.inf).triu(1)
        ends = self.states(ids, mask)[torch.arange(len(ids)), ids.argmax(1)]
        return functional.normalize(ends @ self.text_projection, dim=-1)

    def pictures(self, pixels: Tensor) -> Tensor:
        return functional.normalize(self.visual(pixels), dim=-1)


class TimmAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 12, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(seen.transpose(1, 2).flatten(2))


def mlp() -> nn.Sequential:
    layers = OrderedDict(
        fc1=nn.Linear(WIDTH, 4 * WIDTH), act=nn.GELU(), fc2=nn.Linear(4 * WIDTH, WIDTH)
    )
    return nn.Sequential(layers)


class TimmBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, 1e-6), nn.LayerNorm(WIDTH, 1e-6)
        self.attn, self.mlp = TimmAttention(), mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimmPool(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.q, self.kv = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
        self.proj, self.norm, self.mlp = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH, 1e-6), mlp()

    def forward(self, x: Tensor) -> Tensor:
        q = self.q(self.latent.expand(len(x), -1, -1)).unflatten(-1, (12, -1)).transpose(1, 2)
        k, v = self.kv(x).unflatten(-1, (2, 12, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v)
        x = self.proj(seen.transpose(1, 2).flatten(2))
        return (x + self.mlp(self.norm(x)))[:, 0]


class Trunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.pos_embed = nn.Parameter(torch.empty(1, PLACES, WIDTH))
        self.blocks = nn.Sequential(*(TimmBlock() for _ in range(LAYERS)))
        self.norm, self.attn_pool = nn.LayerNorm(WIDTH, 1e-6), TimmPool()

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patch_embed.proj(pixels).flatten(2).transpose(1, 2) + self.pos_embed
        return self.attn_pool(self.norm(self.blocks(x)))


class Siglip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Module()
        self.visual.trunk = Trunk()
        self.text = Text(nn.GELU, 1e-6, nn.Linear(WIDTH, WIDTH))
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.logit_bias = nn.Parameter(torch.tensor(-10.0))

    def texts(self, ids: Tensor) -> Tensor:
        last = self.text.states(ids, None)[:, -1]
        return functional.normalize(self.text.text_projection(last), dim=-1)

    def pictures(self, pixels: Tensor) -> Tensor:
        return functional.normalize(self.visual.trunk(pixels), dim=-1)


def made(kind: str) -> Clip | Siglip:
    """A model with random weights, none of them at rest."""
    model = {"clip": Clip, "siglip": Siglip}[kind]()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for parameter in model.parameters():
            if parameter.dim():
                nn.init.normal_(parameter, std=0.2)
    return model.eval()


def write(kind: str, folder: Path) -> Clip | Siglip:
    """Write a model in open_clip's layout; return it."""
    folder.mkdir()
    model = made(kind)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    seen = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear"}
    content = {"model_cfg": CLIP if kind == "clip" else SIGLIP, "preprocess_cfg": seen}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    write_tokenizer(folder, ends=True)
    return model
