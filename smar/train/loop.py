"""The order of events in a training run; what a step computes is not its business."""

import logging
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from smar.errors import TrainingError
from smar.kept_memory import kept_memory
from smar.models.dual_encoder import DualEncoder
from smar.models.recompute import recompute_states
from smar.params import TrainParams
from smar.replace import write_file
from smar.train.averaging import WeightAverage
from smar.train.batching import Batch, BatchMaker, prefetch
from smar.train.cached import cached_step
from smar.train.checkpoint import Progress, load_checkpoint, remove_checkpoint, save_checkpoint
from smar.train.course import Course, Phase
from smar.train.large import LargeBatch
from smar.train.memory import told_of_memory
from smar.train.optim import add_weights, build_optimizer, learning_rate
from smar.train.precision import Precision, choose_precision
from smar.train.randomness import random_state, set_random_state
from smar.train.ranks import ALONE, Ranks, current_ranks
from smar.train.sampling import PairSampler
from smar.train.scaling import LossScale
from smar.train.step import Step, StepOutput
from smar.train.tracking import Log, untracked

logger = logging.getLogger(__name__)

_STUCK = 0.99  # share of the loss without learning above which a task has learned nothing


@dataclass(frozen=True)
class Places:
    """Where a run keeps what it writes on the way.

    Args:
        checkpoint: Folder of the last checkpoint; outside the stage's outputs.
        history: Tab-separated file of the logged values, for plots.
        precision: JSON file that remembers the measured precision.
        tracker: Opens what further takes the logged values.
    """

    checkpoint: Path
    history: Path
    precision: Path
    tracker: Callable[[], AbstractContextManager[Log]] = untracked


def train(
    model: DualEncoder,
    sampler: PairSampler,
    maker: BatchMaker,
    *,
    course: Course,
    params: TrainParams,
    places: Places,
) -> dict[str, float]:
    """Train a model in place, going on from a checkpoint if there is one; return run figures.

    A run that was killed and goes on ends in the same weights as one that was not (same machine,
    same number of threads).

    Raises:
        TrainingError: If a loss or a gradient is not finite; names the step.
    """
    with places.tracker() as log, kept_memory():
        return _train(model, sampler, maker, course, params, places, log)


def _train(
    model: DualEncoder,
    sampler: PairSampler,
    maker: BatchMaker,
    course: Course,
    params: TrainParams,
    places: Places,
    log: Log,
) -> dict[str, float]:
    model.adapt()
    if params.recompute:
        recompute_states(model)
    average = WeightAverage(model.parameters(), params.average)
    ranks = current_ranks()
    trained = nn.ModuleList([model, course.weights, average])
    ranks.start_alike(trained)
    optimizer = build_optimizer(
        model,
        params.weight_decay,
        model.pretrained_parameters(),
        params.pretrained_rate,
        model.depths(),
        params.layer_decay,
    )
    add_weights(optimizer, course.weights)
    precision = _precision(model, sampler, maker, course.phases[-1].step, params, places, ranks)
    logger.info("precision: %s (%s)", precision.name, precision.reason)
    precision = _scaled(precision, trained, model.device)
    progress = _progress(places.checkpoint, trained, optimizer, ranks)
    if progress.step:
        logger.info("going on from step %d of %d", progress.step, params.steps)
    history = list(progress.history)
    started, saved = time.perf_counter(), time.perf_counter()
    batches = prefetch(_maker_of(sampler, maker, params, ranks), progress.step, params.steps)
    bar = tqdm(
        batches,
        total=params.steps,
        initial=progress.step,
        unit="step",
        disable=None if ranks.is_first else True,
    )
    queries = 0
    tasks: frozenset[str] = frozenset()
    model.train()
    for number, batch in enumerate(bar, start=progress.step):
        phase = course.phase_of(number)
        if number in (phase.first, progress.step):
            logger.info("steps %d to %d: %s", phase.first, phase.last - 1, phase.name)
            phase.freeze(model)
        rate = _set_rate(optimizer, phase, number, params)
        try:
            with told_of_memory(params):
                values, tasks = _update(
                    trained, batch, optimizer, phase.step, precision, params, ranks
                )
        except TrainingError as error:
            raise TrainingError(f"step {number} of {params.steps}: {error}") from error
        average.update()
        queries += batch.num_queries
        if number % params.log_every == 0 or number + 1 == params.steps:
            history.append(_row(number, rate, values))
            if ranks.is_first:
                write_history(places.history, history)
            log(number, {name: value for name, value in history[-1].items() if name != "step"})
            bar.set_postfix(_told(history[-1], number, params))
        if ranks.is_first and time.perf_counter() - saved > params.checkpoint_s:
            save_checkpoint(places.checkpoint, trained, optimizer, Progress(number + 1, history))
            saved = time.perf_counter()
    average.take_over()
    model.merge()
    model.eval().requires_grad_()
    model.hold()
    _warn_if_stuck(history, tasks)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "pairs_per_s": queries / max(seconds, 1e-9),
        **{k: v for k, v in (history[-1] if history else {}).items() if k != "step"},
    }


def _progress(folder: Path, trained: nn.Module, optimizer: Optimizer, ranks: Ranks) -> Progress:
    """Return where the run stands; all ranks go on from the first one's checkpoint."""
    found = load_checkpoint(folder, trained, optimizer) if ranks.is_first else None
    progress = ranks.sent(found) or Progress(0, [])
    if progress.step and ranks.number > 1:
        ranks.start_alike(trained)
        optimizer.load_state_dict(ranks.sent(optimizer.state_dict()))
        set_random_state(ranks.sent(random_state()))
    return progress


def _maker_of(
    sampler: PairSampler, maker: BatchMaker, params: TrainParams, ranks: Ranks
) -> Callable[[int], Batch | LargeBatch]:
    """Return what makes the batch of a step."""

    def make(step: int) -> Batch | LargeBatch:
        draw = sampler.draw(step)
        chunk = min(params.chunk_items or len(draw.items), len(draw.items) // ranks.number)
        if chunk < len(draw.items):
            return LargeBatch.make(maker, draw, max(1, chunk))
        return maker.make(draw)

    return make


def _set_rate(optimizer: Optimizer, phase: Phase, number: int, params: TrainParams) -> float:
    """Set the learning rate of a step and return it, before the scale of each group."""
    steps = phase.last - phase.first
    rate = learning_rate(number - phase.first, steps, params.learning_rate, params.warmup_frac)
    for group in optimizer.param_groups:
        waits = group.get("is_old", False) and number - phase.first < params.head_start * steps
        group["lr"] = 0.0 if waits else rate * group.get("rate_scale", 1.0)
    return rate


def _told(row: dict[str, float], number: int, params: TrainParams) -> dict[str, str]:
    """Return what the progress bar shows of a step; ten times in a run it is logged as well."""
    shares = {k: f"{v:.3f}" for k, v in row.items() if k.startswith("chance_")}
    if number * 10 // params.steps > (number - params.log_every) * 10 // params.steps:
        logger.info("step %d of %d: %s", number, params.steps, shares)
    return shares


def finish(places: Places) -> None:
    """Drop the checkpoint; call it once the run's output is in place."""
    remove_checkpoint(places.checkpoint)


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write the logged values as a tab-separated table."""
    with write_file(path) as temporary:
        frame = pd.DataFrame(history)
        frame.to_csv(temporary, sep="\t", index=False, float_format="%.6g")


def _update(
    trained: nn.ModuleList,
    batch: Batch | LargeBatch,
    optimizer: torch.optim.Optimizer,
    step: Step,
    precision: Precision,
    params: TrainParams,
    ranks: Ranks,
) -> tuple[dict[str, Tensor], frozenset[str]]:
    model = cast("DualEncoder", trained[0])
    optimizer.zero_grad(set_to_none=True)
    output = _with_gradients(step, model, batch, precision, ranks)
    scaling = next((part for part in trained if isinstance(part, LossScale)), None)
    if scaling:
        scaling.unscale(trained.parameters())
    norm = torch.nn.utils.clip_grad_norm_(trained.parameters(), params.max_grad_norm)
    is_finite = bool(torch.isfinite(norm + output.loss.detach()))
    if scaling:
        scaling.settle(is_finite=is_finite)
    if not is_finite and (scaling is None or scaling.is_spent):
        other = ", or precision bfloat16 or float32 in place of float16" if scaling else ""
        raise TrainingError(
            f"loss {float(output.loss.detach()):.4g}, gradient norm {float(norm):.4g}: not finite. "
            f"Lower learning_rate, or raise loss.temperature{other}; the last checkpoint is kept."
        )
    if is_finite:
        optimizer.step()
    return {"loss": output.loss.detach(), "grad_norm": norm, **output.parts}, output.tasks


def _with_gradients(
    step: Step,
    model: DualEncoder,
    batch: Batch | LargeBatch,
    precision: Precision,
    ranks: Ranks = ALONE,
) -> StepOutput:
    """Return the losses of a batch, its gradients added to those of the weights."""
    if isinstance(batch, LargeBatch):
        return cached_step(step, model, batch, precision, ranks)
    with precision.autocast(model.device):
        output = step(model, batch.to(model.device))
    precision.backward(output.loss)
    return output


def _row(number: int, rate: float, values: dict[str, Tensor]) -> dict[str, float]:
    return {
        "step": number,
        "learning_rate": rate,
        **{name: float(value) for name, value in values.items()},
    }


def _precision(
    model: DualEncoder,
    sampler: PairSampler,
    maker: BatchMaker,
    step: Step,
    params: TrainParams,
    places: Places,
    ranks: Ranks,
) -> Precision:
    """Return the number format of the run, as the first rank chooses it."""
    draw = sampler.draw(0)  # of a large step a chunk tells as much
    batch = maker.make(draw.first(params.chunk_items or len(draw.items)))

    def run_step(precision: Precision) -> None:
        with told_of_memory(params):
            _with_gradients(step, model, batch, precision)
        model.zero_grad(set_to_none=True)

    found = None
    if ranks.is_first:
        device = next(model.parameters()).device
        found = choose_precision(params.precision, run_step, places.precision, device)
    return cast("Precision", ranks.sent(found))


def _scaled(precision: Precision, trained: nn.ModuleList, device: torch.device) -> Precision:
    """Return a precision with the scale that float16 needs, which is part of what is trained."""
    if precision.name != "float16":
        return precision
    scaling = LossScale().to(device)
    trained.append(scaling)
    return replace(precision, scale=scaling.scale)


def _warn_if_stuck(history: list[dict[str, float]], tasks: frozenset[str]) -> None:
    last = history[-1] if history else {}
    for name in sorted(tasks):
        value = last.get(f"chance_{name}", 0.0)
        if value > _STUCK or math.isnan(value):
            logger.warning(
                "chance_%s ended at %.3f of the loss of equal scores, no better than chance: the "
                "towers may have collapsed. Look at the learning rate and the temperature.",
                name,
                value,
            )
