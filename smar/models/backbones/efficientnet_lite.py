"""EfficientNet-Lite: small convolutional networks, which transformers has no model for.

The network is smar's own, `smar/models/efficientnet_lite.py`; the mean over its last map pools it.
"""

from smar.models.backbones.family import Config, Family, PictureFacts

MODEL_TYPE = "efficientnet_lite"


def _facts(_config: Config) -> PictureFacts:
    return PictureFacts(pooling="own")


FAMILY = Family(
    name="EfficientNet-Lite",
    types=frozenset({MODEL_TYPE}),
    pictures=_facts,
)
