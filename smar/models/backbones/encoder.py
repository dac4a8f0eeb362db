"""Text encoders that see both ways: BERT, XLM-R, MPNet, DeBERTa, ModernBERT and their like.

Most sentence encoders (E5, BGE, GTE, MiniLM) are of these types; what pools them stands in their
own `1_Pooling/config.json`, and is the mean where nothing is said.
"""

from smar.models.backbones.family import Config, Family, TextFacts

# Positions are counted from the padding's id on, so a table has that many rows more.
_COUNTED_FROM_PADDING = frozenset(
    {
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "mpnet",
        "data2vec-text",
    }
)


def _facts(config: Config) -> TextFacts:
    positions = getattr(config, "max_position_embeddings", 0) or 0
    if config.model_type in _COUNTED_FROM_PADDING:
        positions -= (config.pad_token_id or 0) + 1
    if getattr(config, "relative_attention", False) and not config.position_biased_input:
        positions = 0  # DeBERTa's distances are cut, not looked up
    return TextFacts(pooling="mean", positions=positions)


FAMILY = Family(
    name="text encoders (BERT, XLM-R, MPNet, DeBERTa, ModernBERT, ...)",
    types=_COUNTED_FROM_PADDING
    | frozenset(
        {
            "bert",
            "distilbert",
            "albert",
            "electra",
            "ernie",
            "deberta",
            "deberta-v2",
            "modernbert",
            "eurobert",
            "nomic_bert",
            "roformer",
            "convbert",
            "nystromformer",
            "rembert",
            "mobilebert",
            "squeezebert",
        }
    ),
    text=_facts,
)
