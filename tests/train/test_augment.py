"""Pictures that differ from step to step."""

import numpy as np
import pytest
import torch
from torch import Tensor

from smar.params import AugmentParams
from smar.train.augment import Views, seen_as
from smar.train.dataset import TrainingData
from smar.train.large import LargeBatch
from smar.train.sampling import PairSampler

from .conftest import Setup

EVERY = AugmentParams(flip=0.5, crop=0.4, jitter=0.3)
AS_IT_IS = [1, 1, 0, 0, 1, 1]
SIDE, SEEN, RIGHT, DOWN, LIGHT, CONTRAST = range(6)


def noise(num: int = 3) -> Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (num, 8, 6, 3), np.uint8)
    return torch.from_numpy(pixels)


def view(**changes: float) -> np.ndarray:
    """Return one view, as it is but for some of its numbers."""
    row = np.array(AS_IT_IS, np.float32)
    for name, value in changes.items():
        row[globals()[name]] = value
    return row[None]


def ramp() -> Tensor:
    """Return a picture of 8 x 6 whose red rises by 20 to the right, whose green by 20 down."""
    rows, columns = np.mgrid[:8, :6]
    pixels = np.stack([20 * columns, 20 * rows, 0 * rows], axis=-1).astype(np.uint8)
    return torch.from_numpy(pixels)[None]


def drawn(data: TrainingData, augment: AugmentParams = EVERY, seed: int = 3) -> PairSampler:
    sampler = PairSampler(data, items_per_step=12, queries_per_item=1, real_frac=0.5, seed=seed)
    sampler.vary_pictures(augment)
    return sampler


def test_without_a_change_every_picture_is_what_it_is():
    pictures = noise()
    assert seen_as(pictures, np.repeat(view(), 3, axis=0)).equal(pictures)
    assert len(seen_as(pictures[:0], np.empty((0, 6), np.float32))) == 0


def test_a_mirrored_picture_is_its_columns_in_reverse():
    pictures = noise(1)
    assert seen_as(pictures, view(SIDE=-1)).equal(pictures.flip(2))


def test_a_cut_picture_is_a_part_at_the_same_proportions():
    # Half of 8 x 6 around the middle: from row 2 to 6 and column 1.5 to 4.5, between pixels' edges.
    found = seen_as(ramp(), view(SEEN=0.5))[0]
    columns = 1.5 + (np.arange(6) + 0.5) * 0.5 - 0.5
    rows = 2 + (np.arange(8) + 0.5) * 0.5 - 0.5
    assert np.abs(found[0, :, 0].numpy() - 20 * columns).max() <= 0.5
    assert np.abs(found[:, 0, 1].numpy() - 20 * rows).max() <= 0.5


def test_a_cut_may_lie_at_an_edge_and_not_behind_it():
    found = seen_as(ramp(), view(SEEN=0.5, RIGHT=0.5, DOWN=-0.5))[0]
    columns = np.minimum(3 + (np.arange(6) + 0.5) * 0.5 - 0.5, 5)
    assert np.abs(found[0, :, 0].numpy() - 20 * columns).max() <= 0.5
    assert found[0, 0, 1] == 0


def test_light_and_contrast_are_a_product_and_a_distance_to_the_mean():
    pictures = noise(1)
    pixels = pictures[0].double()
    lit = (pixels * 0.8).round().clamp(0, 255)
    assert (seen_as(pictures, view(LIGHT=0.8))[0] - lit).abs().max() <= 1
    mean = pixels.mean()
    flat = (mean + (pixels - mean) * 0.5).round()
    assert (seen_as(pictures, view(CONTRAST=0.5))[0] - flat).abs().max() <= 1


def test_views_stay_within_their_settings():
    views = Views(7, 0, EVERY).of(2000)
    assert abs((views[:, SIDE] < 0).mean() - 0.5) < 0.05
    assert views[:, SEEN].min() == pytest.approx(0.6, abs=0.01)
    assert views[:, SEEN].max() <= 1
    assert (np.abs(views[:, [RIGHT, DOWN]]) <= 1 - views[:, [SEEN]] + 1e-6).all()
    assert np.abs(views[:, [LIGHT, CONTRAST]] - 1).max() == pytest.approx(0.3, abs=0.01)
    assert (Views(7, 0, AugmentParams()).of(5) == AS_IT_IS).all()


def test_a_step_sees_the_same_again_and_another_step_does_not(
    tiny_data: TrainingData, setup: Setup
):
    _, _, maker = setup()
    first = maker.make(drawn(tiny_data).draw(4)).pictures
    again = drawn(tiny_data)
    again.draw(1)  # as in a run that goes on
    assert first.equal(maker.make(again.draw(4)).pictures)
    plain = maker.make(drawn(tiny_data, AugmentParams()).draw(4)).pictures
    assert (first != plain).any()
    assert (Views(3, 4, EVERY).of(5) != Views(3, 5, EVERY).of(5)).any()


def test_chunks_of_a_step_see_what_the_step_sees(tiny_data: TrainingData, setup: Setup):
    _, _, maker = setup()
    draw = drawn(tiny_data).draw(2)
    chunks = LargeBatch.make(maker, draw, 5).item_chunks(with_pictures=True)
    parts = torch.cat([chunk.pictures for chunk in chunks])
    assert parts.equal(maker.make(draw).pictures)


def test_varied_pictures_leave_all_other_draws_alone(tiny_data: TrainingData):
    varied, plain = (drawn(tiny_data, of).draw(2) for of in (EVERY, AugmentParams()))
    assert (varied.items == plain.items).all()
    assert (varied.queries == plain.queries).all()
    assert plain.views is None


def test_a_model_looks_at_varied_pictures(tiny_data: TrainingData, setup: Setup):
    model, _, maker = setup()
    draw = drawn(tiny_data).draw(0)
    batch = maker.make(draw)
    assert batch.pictures.dtype == torch.uint8
    found = model.encode_item_tokens(
        batch.item_ids, batch.item_lengths, batch.pictures, batch.owner
    )
    assert found.image.isfinite().all()
