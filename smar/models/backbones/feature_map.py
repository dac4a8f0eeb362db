"""Networks that end in a map of features: ResNet, ConvNeXt, EfficientNet, Swin.

What pools them is part of them: the mean over the map, with a norm before or after it.
"""

from smar.models.backbones.family import Config, Family, PictureFacts


def _facts(config: Config) -> PictureFacts:
    prefix = 1 if config.model_type == "dinov3_convnext" else 0  # its mean stands first
    return PictureFacts(pooling="own", prefix=prefix)


FAMILY = Family(
    name="feature maps (ResNet, ConvNeXt, EfficientNet, Swin)",
    types=frozenset(
        {
            "resnet",
            "regnet",
            "convnext",
            "convnextv2",
            "dinov3_convnext",
            "efficientnet",
            "mobilenet_v2",
            "swin",
            "swinv2",
        }
    ),
    pictures=_facts,
)
