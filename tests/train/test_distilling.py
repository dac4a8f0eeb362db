"""A student ranks as its teacher does: closed forms, sources of scores, and trainings."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from smar.cli import main
from smar.data.images import ImageStore
from smar.errors import ParamsError, ShapeError
from smar.losses import build_loss
from smar.models.dual_encoder import DualEncoder
from smar.models.pretrained import Checkpoint
from smar.params import FinetuneParams, LossParams, PretrainParams, TeacherParams
from smar.paths import Paths
from smar.train.cached import cached_step
from smar.train.course import Course, finetune_course
from smar.train.dataset import TrainingData
from smar.train.distilling import distillation_loss
from smar.train.guide import Guide
from smar.train.large import LargeBatch
from smar.train.loop import Places, train
from smar.train.precision import Precision
from smar.train.prepare import build_maker
from smar.train.sampling import PairSampler
from smar.train.teacher import ScoredByFile, read_teacher
from tests.train.conftest import Setup

NAN = float("nan")
TAUGHT = [[0.9, 0.1, 0.4], [0.2, 0.3, 0.8]]


def test_who_ranks_as_the_teacher_has_nothing_to_learn():
    taught = torch.tensor(TAUGHT)
    assert distillation_loss(taught, taught, 0.1, 0.1).tolist() == pytest.approx([0, 0], abs=1e-6)
    scaled = distillation_loss(taught / 10 + 0.3, taught, 0.01, 0.1)
    assert scaled.tolist() == pytest.approx([0, 0], abs=1e-5)


def test_equal_scores_are_as_far_as_the_teacher_is_from_chance():
    taught = torch.tensor(TAUGHT)
    p = (taught / 0.2).softmax(1)
    expected = np.log(3) + (p * p.log()).sum(1)
    found = distillation_loss(torch.zeros(2, 3), taught, 0.05, 0.2)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_gradient_is_the_difference_of_the_shares():
    taught, scores = torch.tensor(TAUGHT), torch.randn(2, 3, requires_grad=True)
    distillation_loss(scores, taught, 0.5, 0.2).sum().backward()
    expected = ((scores / 0.5).softmax(1) - (taught / 0.2).softmax(1)) / 0.5
    assert torch.allclose(scores.grad, expected.detach(), atol=1e-6)


def test_items_that_the_teacher_has_not_scored_take_no_part():
    scores = torch.randn(3, 4, requires_grad=True)
    taught = torch.tensor([[0.9, NAN, 0.1, NAN], [NAN, 0.4, NAN, NAN], [NAN] * 4])
    found = distillation_loss(scores, taught, 0.1, 0.1)
    alone = distillation_loss(scores[:1, [0, 2]], taught[:1, [0, 2]], 0.1, 0.1)
    assert torch.allclose(found[0], alone[0], rtol=1e-5)
    assert found[1:].tolist() == [0, 0]
    found.sum().backward()
    assert (scores.grad != 0).nonzero().tolist() == [[0, 0], [0, 2]]
    with pytest.raises(ShapeError, match=r"\(3, 4\) and the teacher's \(3, 3\)"):
        distillation_loss(scores, taught[:, :3], 0.1, 0.1)


def scores_file(folder: Path, data: TrainingData, **columns: Any) -> Path:
    """Pairs of the first three queries with five items, with texts and items that nobody knows."""
    rows = [
        {"query": data.queries[query], "item_id": f"i{item:02d}", "score": query - 2.0 * item}
        for query in range(3)
        for item in range(query, query + 5)
    ]
    rows += [{"query": "never asked", "item_id": "i00", "score": 9.0}]
    rows += [{"query": data.queries[0], "item_id": "gone", "score": 9.0}]
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows).assign(**columns).to_parquet(folder / "scores.parquet")
    return folder / "scores.parquet"


def test_a_file_says_what_it_says_and_no_more(tiny_data: TrainingData, tmp_path: Path):
    item_ids = [f"i{number:02d}" for number in range(24)]
    scored = ScoredByFile.read(scores_file(tmp_path, tiny_data), tiny_data, item_ids)
    found = scored(np.array([1, 5]), np.array([0, 1, 3]))
    assert np.isnan(found).tolist() == [[True, False, False], [True] * 3]
    assert found[0, 1:].tolist() == pytest.approx([-1, -5], abs=1e-5)
    drawn = scored.pool(3).draw(np.array([2]), np.random.default_rng(0))
    assert set(drawn) <= {2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"score": "much"}, "17 scores are no numbers"),
        ({"query": "never asked"}, "none of its 17 pairs"),
    ],
)
def test_a_file_that_says_nothing_is_refused(
    columns: dict[str, str], message: str, tiny_data: TrainingData, tmp_path: Path
):
    file = scores_file(tmp_path, tiny_data, **columns)
    with pytest.raises(ParamsError, match=message):
        ScoredByFile.read(file, tiny_data, [f"i{number:02d}" for number in range(24)])


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_pretrained_pair_teaches_as_it_came(
    kind: str,
    zoo: Callable[[str], Checkpoint],
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    start = zoo(kind)
    taught, joined = read_teacher(start, TeacherParams(), tiny_data, tiny_items, tiny_images)
    assert taught is not None
    assert not joined
    query = np.unique(tiny_data.real.query).astype(np.int64)[:4]
    found = taught(query, np.arange(24))
    assert found.shape == (4, 24)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1 + 1e-5
    assert (found.std(1) > 1e-4).all()


def trained(setup: Setup, places: Places, params: PretrainParams, course: Course) -> DualEncoder:
    model, sampler, maker = setup()
    train(model, sampler, maker, course=course, params=params, places=places)
    return model


@pytest.mark.whole
def test_a_student_approaches_its_teacher(
    setup: Setup,
    places: Places,
    tiny_pretrain: PretrainParams,
    tiny_finetune: FinetuneParams,
    tiny_loss: LossParams,
    course_of: Callable[..., Course],
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    longer = tiny_pretrain.model_copy(update={"steps": 25})
    teacher = trained(setup, places, longer, course_of(longer))
    guide = Guide.of(teacher, tiny_data, tiny_items, tiny_images)
    every = np.arange(tiny_data.num_items)
    taught = torch.from_numpy(guide.scores(guide.queries, every))

    def apart(model: DualEncoder) -> float:
        own = Guide.of(model, tiny_data, tiny_items, tiny_images).scores(guide.queries, every)
        return float(distillation_loss(torch.from_numpy(own), taught, 0.05, 0.05).mean())

    before, after = {}, {}
    for name in ("", "large"):
        student, _, _ = setup()
        sampler = PairSampler(
            tiny_data, items_per_step=16, queries_per_item=1, real_frac=1.0, seed=3
        )
        maker = build_maker(
            student, tiny_data, tiny_items, tiny_images, taught=guide.scores if name else None
        )
        chosen = TeacherParams(name=name, weight=5.0)
        params = tiny_finetune.model_copy(update={"steps": 25, "teacher": chosen})
        course = finetune_course(params, build_loss(tiny_loss), is_learned=False)
        before[name] = apart(student)
        figures = train(student, sampler, maker, course=course, params=params, places=places)
        after[name] = apart(student)
        assert ("chance_taught" in figures) == bool(name)
    assert after["large"] < 0.3 * before["large"]
    assert after["large"] < 0.5 * after[""], (before, after)


@pytest.mark.parametrize("gated", [1.0, 0.0])
def test_a_step_in_chunks_is_taught_the_same(
    gated: float,
    setup: Setup,
    tiny_finetune: FinetuneParams,
    tiny_loss: LossParams,
    tiny_data: TrainingData,
    tiny_items: pd.DataFrame,
    tiny_images: ImageStore,
):
    chosen = TeacherParams(name="large", weight=3.0)
    params = tiny_finetune.model_copy(update={"teacher": chosen, "gated": gated})
    step = finetune_course(params, build_loss(tiny_loss), is_learned=False).phases[0].step
    numbers = np.random.default_rng(0).normal(size=(len(tiny_data.queries), 24)).astype(np.float32)

    def taught(queries: Any, items: Any) -> Any:
        return numbers[queries][:, items]

    found = []
    for chunk in (0, 5):
        model, sampler, _ = setup()
        maker = build_maker(model, tiny_data, tiny_items, tiny_images, taught=taught)
        draw = sampler.draw(0)
        if chunk:
            cached_step(step, model, LargeBatch.make(maker, draw, chunk), Precision("float32", ""))
        else:
            output = step(model, maker.make(draw))
            assert float(output.parts["chance_taught"]) > 0
            output.loss.backward()
        of_gate = [p.grad is not None for p in model.gate.parameters()]
        assert of_gate == [bool(gated)] * len(of_gate)  # else S_m alone is taught
        found.append(
            torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        )
    assert torch.allclose(*found, atol=1e-5 * float(found[0].abs().max()))


@pytest.mark.whole
def test_a_stage_learns_from_another_project(
    small_project: Path, change_params: Callable[[Path, dict[str, Any]], None]
):
    paths = Paths(small_project)
    copytree(paths.retriever, small_project / "backbones" / "large.model")
    changes = {"finetune.steps": 3, "finetune.teacher": {"name": "large"}}
    change_params(small_project, changes)
    assert main(["finetune", "--root", str(small_project), "--quiet"]) == 0
    history = pd.read_csv(paths.history("finetune"), sep="\t")
    assert (history["loss_taught"] > 0).all()


def test_a_teacher_that_is_not_there_stops_the_first_stage(
    small_project: Path,
    change_params: Callable[[Path, dict[str, Any]], None],
    capsys: pytest.CaptureFixture[str],
):
    change_params(small_project, {"finetune.teacher": {"name": "gone"}})
    assert main(["ingest", "--root", str(small_project), "--quiet"]) == 2
    assert "finetune.teacher.name: 'gone': there is no folder" in capsys.readouterr().err
