"""Language models used as text encoders: Qwen3 and their like.

A token sees only those before it, so the last one stands for the text. A few were trained to see
both ways instead, and then the mean does.
"""

from smar.models.backbones.family import Config, Family, TextFacts


def _facts(config: Config) -> TextFacts:
    both_ways = bool(getattr(config, "use_bidirectional_attention", False))
    return TextFacts(
        pooling="mean" if both_ways else "last",
        is_causal=not both_ways,
        positions=getattr(config, "max_position_embeddings", 0) or 0,
    )


FAMILY = Family(
    name="language models (Qwen3, Llama, Gemma, ...)",
    types=frozenset(
        {
            "qwen2",
            "qwen3",
            "llama",
            "mistral",
            "gemma",
            "gemma2",
            "gemma3_text",
            "olmo2",
            "smollm3",
        }
    ),
    text=_facts,
)
