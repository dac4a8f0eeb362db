"""Picture models of timm, as `smar backbone` takes them in.

timm pools them as they were trained. What their config says of places was found out by one picture
when they were taken in.
"""

from smar.models.backbones.family import Config, Family, PictureFacts

MODEL_TYPE = "timm_picture"


def _facts(config: Config) -> PictureFacts:
    return PictureFacts(pooling="own", prefix=config.prefix, patch=config.patch_size)


FAMILY = Family(
    name="picture models of timm",
    types=frozenset({MODEL_TYPE}),
    pictures=_facts,
)
