"""params.yaml as frozen, strict objects: every unknown key refused, every key with a default.

A file for each owner of sections; `choices` holds those that choose a kind. All problems are
reported at once, before any work starts.
"""

from smar.params.clicks import ClicksParams
from smar.params.cluster import ClusterParams
from smar.params.curriculum import CurriculumParams
from smar.params.drift import DriftParams
from smar.params.evaluate import EvaluateParams
from smar.params.features import FeaturesParams
from smar.params.file import check_params, load_params
from smar.params.fusion import FusionParams
from smar.params.gate import GateParams
from smar.params.ingest import (
    DemoParams,
    FeedParams,
    ImageStoreParams,
    IngestParams,
    JudgementParams,
    LogParams,
)
from smar.params.loss import LossParams
from smar.params.model import (
    ImageTowerParams,
    ModelParams,
    QueryTowerParams,
    QueryVectorParams,
    TextTowerParams,
)
from smar.params.promote import PromoteParams
from smar.params.search import EmbedParams, IndexParams
from smar.params.synthesize import SynthesizeParams
from smar.params.train import (
    AugmentParams,
    FinetuneParams,
    NegativeParams,
    PretrainParams,
    TeacherParams,
    TrainParams,
)
from smar.params.validate import (
    ItemRules,
    JudgementRules,
    LogRules,
    PreviousRules,
    QueryRules,
    ValidateParams,
)
from smar.params.whole import Params

__all__ = [
    "AugmentParams",
    "ClicksParams",
    "ClusterParams",
    "CurriculumParams",
    "DemoParams",
    "DriftParams",
    "EmbedParams",
    "EvaluateParams",
    "FeaturesParams",
    "FeedParams",
    "FinetuneParams",
    "FusionParams",
    "GateParams",
    "ImageStoreParams",
    "ImageTowerParams",
    "IndexParams",
    "IngestParams",
    "ItemRules",
    "JudgementParams",
    "JudgementRules",
    "LogParams",
    "LogRules",
    "LossParams",
    "ModelParams",
    "NegativeParams",
    "Params",
    "PretrainParams",
    "PreviousRules",
    "PromoteParams",
    "QueryRules",
    "QueryTowerParams",
    "QueryVectorParams",
    "SynthesizeParams",
    "TeacherParams",
    "TextTowerParams",
    "TrainParams",
    "ValidateParams",
    "check_params",
    "load_params",
]
