"""Weights of open_clip under the names of transformers.

Shapes: D width of a part, E embedding length, P positions.
"""

from collections.abc import Mapping

from torch import Tensor

from smar.errors import ParamsError

_BLOCK = {  # of open_clip's own Transformer
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_TIMM_BLOCK = {
    "norm1": "layer_norm1",
    "norm2": "layer_norm2",
    "attn.proj": "self_attn.out_proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_TEXT = {
    "token_embedding": "text_model.embeddings.token_embedding",
    "ln_final": "text_model.final_layer_norm",
}
_CLIP = _TEXT | {
    "visual.conv1": "vision_model.embeddings.patch_embedding",
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
}
_SIGLIP = _TEXT | {
    "text_projection": "text_model.head",
    "visual.trunk.patch_embed.proj": "vision_model.embeddings.patch_embedding",
    "visual.trunk.norm": "vision_model.post_layernorm",
    "visual.trunk.attn_pool.proj": "vision_model.head.attention.out_proj",
    "visual.trunk.attn_pool.norm": "vision_model.head.layernorm",
    "visual.trunk.attn_pool.mlp.fc1": "vision_model.head.mlp.fc1",
    "visual.trunk.attn_pool.mlp.fc2": "vision_model.head.mlp.fc2",
}
_ALONE = {  # parameters that belong to no layer
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.attn_pool.latent": "vision_model.head.probe",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
_TURNED = {  # [D, E] there, [E, D] here
    "visual.proj": "visual_projection.weight",
    "text_projection": "text_projection.weight",
}
_LAYERS = {
    "visual.transformer.resblocks.": ("vision_model.encoder.layers.", _BLOCK),
    "transformer.resblocks.": ("text_model.encoder.layers.", _BLOCK),
    "visual.trunk.blocks.": ("vision_model.encoder.layers.", _TIMM_BLOCK),
}
_IDLE = {"attn_mask"}


def clip_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a CLIP, by their names in transformers' CLIPModel.

    Raises:
        ParamsError: If there are others than a CLIP has.
    """
    return _renamed(weights, _CLIP)


def siglip_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a SigLIP, by their names in transformers' SiglipModel.

    Raises:
        ParamsError: If there are others than a SigLIP has.
    """
    plain = dict(weights)
    pool = "visual.trunk.attn_pool"
    found = {}
    for kind, ours in (("weight", "in_proj_weight"), ("bias", "in_proj_bias")):
        parts = [plain.pop(f"{pool}.{name}.{kind}", None) for name in ("q", "kv")]
        if parts[0] is not None and parts[1] is not None:
            found[f"vision_model.head.attention.{ours}"] = _joined(parts[0], parts[1])
    found |= _renamed(plain, _SIGLIP)
    for name in ("logit_scale", "logit_bias"):  # numbers there, rows of one here
        found |= {name: found[name].reshape(1)} if name in found else {}
    return found


def _joined(first: Tensor, second: Tensor) -> Tensor:
    import torch

    return torch.cat([first, second])


def _renamed(weights: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    lost = []
    for key, value in weights.items():
        if key in _IDLE:
            continue
        new = _of_block(key, value) or _alone(key, value) or _of_layer(key, value, layers)
        if not new:
            lost.append(key)
        found |= new
    if lost:
        raise ParamsError(
            f"open_clip: {len(lost)} weights are of no model that smar reads (first: {lost[0]}); "
            "expected CLIP with Transformers, or SigLIP."
        )
    return {name: value.contiguous() for name, value in found.items()}


def _alone(key: str, value: Tensor) -> dict[str, Tensor]:
    if key in _TURNED:
        return {_TURNED[key]: value.T}
    if key == "visual.trunk.pos_embed":
        return {_ALONE[key]: value[0]}
    return {_ALONE[key]: value} if key in _ALONE else {}


def _of_layer(key: str, value: Tensor, layers: Mapping[str, str]) -> dict[str, Tensor]:
    layer, _, kind = key.rpartition(".")
    return {f"{layers[layer]}.{kind}": value} if layer in layers else {}


def _of_block(key: str, value: Tensor) -> dict[str, Tensor]:
    """Return a weight of a Transformer's layer; of attention's three maps in one, the three."""
    for prefix, (ours, names) in _LAYERS.items():
        if not key.startswith(prefix):
            continue
        number, _, inner = key.removeprefix(prefix).partition(".")
        layer, _, kind = inner.replace("attn.in_proj_", "attn.qkv.").rpartition(".")
        if layer == "attn.qkv":
            parts = zip("qkv", value.chunk(3), strict=True)
            return {f"{ours}{number}.self_attn.{n}_proj.{kind}": part for n, part in parts}
        return {f"{ours}{number}.{names[layer]}.{kind}": value} if layer in names else {}
    return {}
