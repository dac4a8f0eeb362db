"""GradCache: a step over more items than fit, in the memory of a few of them.

Shapes: Q queries, B items, D embedding length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from smar.models.dual_encoder import DualEncoder, ItemOutput, QueryOutput
from smar.train.batching import Batch
from smar.train.large import LargeBatch
from smar.train.precision import Precision
from smar.train.randomness import random_state, set_random_state
from smar.train.ranks import ALONE, Ranks
from smar.train.scoring import (
    Encoded,
    Portion,
    encode_items_of,
    encode_queries_of,
)
from smar.train.step import Step, StepOutput, Terms

_SCORES = 2**21  # of a block of rows, whose losses are taken at once: 8 MB a copy
_Output = TypeVar("_Output", QueryOutput, ItemOutput)
_Encode = Callable[[DualEncoder, Batch], _Output]


def cached_step(
    step: Step,
    model: DualEncoder,
    batch: LargeBatch,
    precision: Precision,
    ranks: Ranks = ALONE,
) -> StepOutput:
    """Return the losses of a large batch; its gradients are added to those of the weights.

    The loss couples all vectors, but the towers make each by itself (GradCache, Gao et al., 2021):
    chunks are encoded without a graph; the loss of all vectors gives the gradient of each; every
    chunk is encoded again, with its graph and from the same random numbers, and handed its
    gradients. They are those of `step` over the same vectors, for one more forward pass. Where the
    loss of a row can be told from the row alone, the scores are not held whole either.

    Several ranks share chunks and blocks of rows, and all end with the gradients of the whole step:
    those of one process to rounding, where no tower draws random numbers.

    Args:
        step: What is computed.
        model: The model, on its device.
        batch: The batch.
        precision: Number format of the towers.
        ranks: Who computes it.
    """
    sees = step.sees_pictures(model)
    towers = _Towers(model, precision, ranks)

    def item_chunks() -> Iterator[Batch]:
        return batch.item_chunks(ranks, with_pictures=sees)

    items, of_items = towers.vectors(encode_items_of, item_chunks())
    if step.of_items:
        encoded = Encoded.of_items(items)
    else:
        queries, of_queries = towers.vectors(encode_queries_of, batch.query_chunks(ranks))
        encoded = Encoded(queries, items, model.options.beta)
    after = random_state()
    output = _losses(step, model, batch, encoded, precision, ranks)
    ranks.sum_gradients(_rows_of(items).values())
    if not step.of_items:
        ranks.sum_gradients(_rows_of(queries).values())
    towers.hand_on(encode_items_of, item_chunks(), items, of_items)
    if not step.of_items:
        towers.hand_on(encode_queries_of, batch.query_chunks(ranks), queries, of_queries)
    ranks.sum_gradients([*model.parameters(), *step.weights.parameters()])
    set_random_state(after)
    return output


@dataclass(frozen=True)
class _Own:
    """A rank's part of vectors.

    Args:
        states: The random states before each of its chunks.
        first: Row of the first of its vectors.
    """

    states: list[dict[str, Tensor]]
    first: int


class _Towers:
    """The towers, chunk by chunk.

    Args:
        model: The model.
        precision: Number format of the towers.
        ranks: Who else has chunks.
    """

    def __init__(self, model: DualEncoder, precision: Precision, ranks: Ranks) -> None:
        self.model, self.precision, self.ranks = model, precision, ranks

    def vectors(
        self, encode: "_Encode[_Output]", chunks: Iterator[Batch]
    ) -> tuple[_Output, "_Own"]:
        """Return vectors that have gradients but no graph, and which of them are this rank's.

        Args:
            encode: Encodes the queries or the items of a batch.
            chunks: The batches that this rank has; the vectors are those of all ranks.
        """
        outputs, states = [], []
        for chunk in chunks:
            states.append(random_state())
            with torch.no_grad():
                outputs.append(self._run(encode, chunk))
        own = _joined(outputs)
        sizes = self.ranks.gathered(len(next(iter(_rows_of(own).values()))))
        return _joined(_of_all(own, self.ranks)), _Own(states, sum(sizes[: self.ranks.own]))

    def hand_on(
        self,
        encode: "_Encode[_Output]",
        chunks: Iterator[Batch],
        vectors: _Output,
        own: "_Own",
    ) -> None:
        """Hand the gradients of vectors on to the weights.

        Args:
            encode: Encodes the queries or the items of a batch.
            chunks: The batches, as `vectors` saw them.
            vectors: What it returned, with gradients.
            own: Which of them are this rank's.
        """
        start = own.first
        for chunk, state in zip(chunks, own.states, strict=True):
            set_random_state(state)
            output = self._run(encode, chunk)
            made, gradients = [], []
            for name, vector in _rows_of(output).items():
                gradient = _rows_of(vectors)[name].grad
                if gradient is not None and vector.requires_grad:
                    made.append(vector)
                    gradients.append(gradient[start : start + len(vector)])
            if made:  # else what made them is frozen
                torch.autograd.backward(made, gradients)
            start += len(next(iter(_rows_of(output).values())))

    def _run(self, encode: "_Encode[_Output]", chunk: Batch) -> _Output:
        with self.precision.autocast(self.model.device):
            return encode(self.model, chunk.to(self.model.device))


def _losses(
    step: Step,
    model: DualEncoder,
    batch: LargeBatch,
    encoded: Encoded,
    precision: Precision,
    ranks: Ranks,
) -> StepOutput:
    """Return the losses of all rows, taken block by block.

    The vectors have the gradients that this rank's blocks give them.
    """
    total = torch.zeros((), device=model.device)
    losses: dict[str, Tensor] = {}
    chances: dict[str, Tensor] = {}
    for part, known, portion in _blocks(step, batch, encoded, model.device, ranks):
        terms = step.at_all_lengths(model, part, known, portion)
        loss = step.total(terms, portion.share)
        if loss.requires_grad:
            precision.backward(loss)
        total = total + loss.detach()
        for sums, of_block in ((losses, terms.losses), (chances, terms.chances)):
            for name, value in of_block.items():
                sums[name] = sums.get(name, torch.zeros_like(total)) + value.detach()
    total, losses, chances = _summed(ranks.gathered((total, losses, chances)), model.device)
    return step.output(total, Terms(losses, chances), encoded)


def _summed(
    found: Sequence[tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]], device: torch.device
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Return the sums over ranks, of which some have no block."""
    named = next(sums for _, *sums in found if sums[0])
    losses, chances = (
        {
            name: _sum_of([sums[at][name] for _, *sums in found if name in sums[at]], device)
            for name in named[at]
        }
        for at in (0, 1)
    )
    return _sum_of([total for total, *_ in found], device), losses, chances


def _sum_of(values: Sequence[Tensor], device: torch.device) -> Tensor:
    """Return a sum of scalars that may come from several devices."""
    return torch.stack([value.to(device) for value in values]).sum()


def _blocks(
    step: Step, batch: LargeBatch, encoded: Encoded, device: torch.device, ranks: Ranks
) -> Iterator[tuple[Encoded, Batch, Portion]]:
    """Yield a rank's rows of the scores, some after the other, with what is known of them."""
    item = encoded.item
    if step.of_items:
        known = batch.known_of(slice(0, 0)).to(device)
        num_rows = int(item.has_picture.sum())
        for rows in ranks.part(_row_slices(step, num_rows, num_rows, ranks.number)):
            yield encoded, known, Portion(_share(rows, num_rows), rows.start, rows.stop)
        return
    target = batch.facts["target"].to(device)
    pictured, grades = item.has_picture[target].sum(), batch.facts["grade"].to(device)
    to_align, num_queries = int(item.has_picture.sum()), max(1, batch.num_queries)
    for rows in ranks.part(_row_slices(step, batch.num_queries, batch.num_items, ranks.number)):
        query = replace(
            encoded.query,
            embedding=encoded.query.embedding[rows],
            gate_logit=encoded.query.gate_logit[rows],
        )
        first, last = (to_align * end // num_queries for end in (rows.start, rows.stop))
        portion = Portion(
            share=_share(rows, batch.num_queries),
            pictured=pictured,
            grades=grades,
            aligned=(first, last),
        )
        yield replace(encoded, query=query), batch.known_of(rows).to(device), portion


def _share(rows: slice, total: int) -> float:
    return (rows.stop - rows.start) / max(1, total)


def _row_slices(step: Step, num_rows: int, num_columns: int, least: int) -> list[slice]:
    """Return rows of the scores that are looked at together, in so many parts at least."""
    size = max(1, num_rows)
    if step.by_rows:
        size = max(1, min(_SCORES // max(1, num_columns), num_rows // least))
    starts = range(0, max(1, num_rows), size)
    return [slice(start, min(start + size, num_rows)) for start in starts]


def _rows_of(output: QueryOutput | ItemOutput) -> dict[str, Tensor]:
    """Return what an output has of each query or item and gradients run through."""
    values = {each.name: getattr(output, each.name) for each in fields(output)}
    return {name: v for name, v in values.items() if v.dim() and v.is_floating_point()}


def _joined(outputs: "list[_Output]") -> _Output:
    """Return the outputs of chunks as one, without a graph; gradients gather at its vectors."""
    first = outputs[0]
    joined: dict[str, Any] = {}
    for each in fields(first):
        values = [getattr(output, each.name).detach() for output in outputs]
        if not values[0].dim():  # a mean over the chunk
            counts = [_counted(output, each.name) for output in outputs]
            whole = sum(v * n for v, n in zip(values, counts, strict=True))
            joined[each.name] = whole / max(1, sum(counts))
        else:
            joined[each.name] = torch.cat(values)
    result = type(first)(**joined)
    for vectors in _rows_of(result).values():
        vectors.requires_grad_()
    return result


def _of_all(own: _Output, ranks: Ranks) -> list[_Output]:
    """Return the outputs of all ranks, in their order."""
    if ranks.number == 1:
        return [own]
    found: list[dict[str, Any]] = [{} for _ in range(ranks.number)]
    for each in fields(own):
        value = getattr(own, each.name).detach()
        values = ranks.stacked(value) if value.dim() else ranks.gathered(value)
        for output, part in zip(found, values, strict=True):
            output[each.name] = part.to(value.device)
    return [type(own)(**output) for output in found]


def _counted(output: QueryOutput | ItemOutput, name: str) -> int:
    """Return how many rows a mean of an output was taken over."""
    if isinstance(output, ItemOutput) and name == "image_norm":
        return int(output.has_picture.sum())
    return len(next(iter(_rows_of(output).values())))
