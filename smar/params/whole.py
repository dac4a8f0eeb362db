"""All of params.yaml."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from smar.params.clicks import ClicksParams
from smar.params.cluster import ClusterParams
from smar.params.combinations import senseless
from smar.params.curriculum import CurriculumParams
from smar.params.drift import DriftParams
from smar.params.evaluate import EvaluateParams
from smar.params.features import FeaturesParams
from smar.params.fusion import FusionParams
from smar.params.gate import GateParams
from smar.params.ingest import (
    IngestParams,
)
from smar.params.kinds import FUSIONS, Kind
from smar.params.loss import LossParams
from smar.params.model import ModelParams
from smar.params.promote import PromoteParams
from smar.params.search import EmbedParams, IndexParams
from smar.params.section import Section
from smar.params.synthesize import SynthesizeParams
from smar.params.train import FinetuneParams, PretrainParams
from smar.params.validate import (
    ValidateParams,
)


class Params(Section):
    """All of params.yaml."""

    seed: Annotated[int, Field(ge=0)] = 7
    """Another seed, other draws and weights."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of torch and faiss; 0 = as many as the process may use."""
    cluster: ClusterParams = ClusterParams()
    model: ModelParams = ModelParams()
    fusion: FusionParams = FusionParams()
    loss: LossParams = LossParams()
    gate: GateParams = GateParams()
    curriculum: CurriculumParams = CurriculumParams()
    clicks: ClicksParams = ClicksParams()
    ingest: IngestParams = IngestParams()
    validate_: ValidateParams = Field(ValidateParams(), alias="validate")
    features: FeaturesParams = FeaturesParams()
    synthesize: SynthesizeParams = SynthesizeParams()
    pretrain: PretrainParams = PretrainParams()
    finetune: FinetuneParams = FinetuneParams()
    embed: EmbedParams = EmbedParams()
    index: IndexParams = IndexParams()
    evaluate: EvaluateParams = EvaluateParams()
    promote: PromoteParams = PromoteParams()
    drift: DriftParams = DriftParams()

    @property
    def fusion_kind(self) -> Kind:
        """The chosen fusion."""
        return FUSIONS[self.model.fusion]

    @property
    def log_kind(self) -> str:
        """What kind of search log there is."""
        return "ubi" if self.ingest.source == "demo" else self.ingest.log.kind

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if problems := senseless(self):
            raise ValueError(*problems)
        return self
