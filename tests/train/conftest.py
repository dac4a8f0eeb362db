"""What training runs of the tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.params import LossParams, Params, PretrainParams
from smar.train.batching import BatchMaker
from smar.train.course import Course
from smar.train.curricula import build_course
from smar.train.dataset import TrainingData
from smar.train.loop import Places
from smar.train.sampling import PairSampler
from tests.models.backbones.conftest import zoo

__all__ = ["Setup", "course_of", "places", "setup", "zoo"]

Setup = Callable[[], tuple[DualEncoder, PairSampler, BatchMaker]]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "checkpoint", tmp_path / "history.tsv", tmp_path / "precision.json")


@pytest.fixture
def setup(
    tiny_model: Callable[[], DualEncoder],
    tiny_data: TrainingData,
    tiny_maker: Callable[[DualEncoder], BatchMaker],
) -> Setup:
    def make() -> tuple[DualEncoder, PairSampler, BatchMaker]:
        model = tiny_model()
        sampler = PairSampler(
            tiny_data, items_per_step=16, queries_per_item=1, real_frac=0.5, seed=3
        )
        return model, sampler, tiny_maker(model)

    return make


@pytest.fixture
def course_of(tiny_loss: LossParams, shipped: Params) -> Callable[..., Course]:
    """Return a builder: parameters of a run and the kind of curriculum to its course."""

    def build(
        params: PretrainParams, kind: str = "joint", *, loss_kind: str = "softmax", **loss: object
    ) -> Course:
        chosen = tiny_loss.model_copy(update={"kind": loss_kind, **loss})
        curriculum = shipped.curriculum.model_copy(update={"kind": kind})
        is_learned = chosen.weights == "learned"
        return build_course(params, build_loss(chosen), curriculum, is_learned=is_learned)

    return build
