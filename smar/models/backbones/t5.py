"""T5 and its like: the encoder alone, pooled by the mean, with distances instead of positions."""

from smar.models.backbones.family import Family, TextFacts

FAMILY = Family(
    name="T5",
    types=frozenset({"t5", "mt5", "umt5"}),
    text=lambda _config: TextFacts(pooling="mean"),
    classes={"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel"},
)
