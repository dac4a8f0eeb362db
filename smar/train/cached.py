"""GradCache: a step over more items than fit, in the memory of a few of them.

Shapes: Q queries, B items, D embedding length.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from smar.models.dual_encoder import DualEncoder, ItemOutput, QueryOutput
from smar.train.batching import Batch
from smar.train.large import LargeBatch
from smar.train.precision import Precision
from smar.train.randomness import random_state, set_random_state
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
    step: Step, model: DualEncoder, batch: LargeBatch, precision: Precision
) -> StepOutput:
    """Return the losses of a large batch; its gradients are added to those of the weights.

    The loss couples all vectors, but the towers make each by itself (GradCache, Gao et al., 2021):
    chunks are encoded without a graph; the loss of all vectors gives the gradient of each; every
    chunk is encoded again, with its graph and from the same random numbers, and handed its
    gradients. They are those of `step` over the same vectors, for one more forward pass. Where the
    loss of a row can be told from the row alone, the scores are not held whole either.

    Args:
        step: What is computed.
        model: The model, on its device.
        batch: The batch.
        precision: Number format of the towers.
    """
    sees = step.sees_pictures(model)
    towers = _Towers(model, precision)

    def item_chunks() -> Iterator[Batch]:
        return batch.item_chunks(with_pictures=sees)

    items, of_items = towers.vectors(encode_items_of, item_chunks())
    if step.of_items:
        encoded = Encoded.of_items(items)
    else:
        queries, of_queries = towers.vectors(encode_queries_of, batch.query_chunks())
        encoded = Encoded(queries, items, model.options.beta)
    after = random_state()
    output = _losses(step, model, batch, encoded)
    towers.hand_on(encode_items_of, item_chunks(), items, of_items)
    if not step.of_items:
        towers.hand_on(encode_queries_of, batch.query_chunks(), queries, of_queries)
    set_random_state(after)
    return output


class _Towers:
    """The towers, chunk by chunk.

    Args:
        model: The model.
        precision: Number format of the towers.
    """

    def __init__(self, model: DualEncoder, precision: Precision) -> None:
        self.model, self.precision = model, precision

    def vectors(
        self, encode: "_Encode[_Output]", chunks: Iterator[Batch]
    ) -> tuple[_Output, list[dict[str, Tensor]]]:
        """Return vectors that have gradients but no graph, and the random state before each chunk.

        Args:
            encode: Encodes the queries or the items of a batch.
            chunks: The batches.
        """
        outputs, states = [], []
        for chunk in chunks:
            states.append(random_state())
            with torch.no_grad():
                outputs.append(self._run(encode, chunk))
        return _joined(outputs), states

    def hand_on(
        self,
        encode: "_Encode[_Output]",
        chunks: Iterator[Batch],
        vectors: _Output,
        states: list[dict[str, Tensor]],
    ) -> None:
        """Hand the gradients of vectors on to the weights.

        Args:
            encode: Encodes the queries or the items of a batch.
            chunks: The batches, as `vectors` saw them.
            vectors: What it returned, with gradients.
            states: The random states that it returned.
        """
        start = 0
        for chunk, state in zip(chunks, states, strict=True):
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


def _losses(step: Step, model: DualEncoder, batch: LargeBatch, encoded: Encoded) -> StepOutput:
    """Return the losses of all rows, taken block by block; the vectors have their gradients."""
    total = torch.zeros((), device=model.device)
    losses: dict[str, Tensor] = {}
    chances: dict[str, Tensor] = {}
    for part, known, portion in _blocks(step, batch, encoded, model.device):
        terms = step.at_all_lengths(model, part, known, portion)
        loss = step.total(terms, portion.share)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        total = total + loss.detach()
        for sums, of_block in ((losses, terms.losses), (chances, terms.chances)):
            for name, value in of_block.items():
                sums[name] = sums.get(name, torch.zeros_like(total)) + value.detach()
    return step.output(total, Terms(losses, chances), encoded)


def _blocks(
    step: Step, batch: LargeBatch, encoded: Encoded, device: torch.device
) -> Iterator[tuple[Encoded, Batch, Portion]]:
    """Yield some rows of the scores after the other, with what is known of them."""
    item = encoded.item
    if step.of_items:
        known = batch.known_of(slice(0, 0)).to(device)
        num_rows = int(item.has_picture.sum())
        for rows in _row_slices(step, num_rows, num_rows):
            yield encoded, known, Portion(_share(rows, num_rows), rows.start, rows.stop)
        return
    target = batch.facts["target"].to(device)
    pictured, grades = item.has_picture[target].sum(), batch.facts["grade"].to(device)
    for rows in _row_slices(step, batch.num_queries, batch.num_items):
        query = replace(
            encoded.query,
            embedding=encoded.query.embedding[rows],
            gate_logit=encoded.query.gate_logit[rows],
        )
        portion = Portion(share=_share(rows, batch.num_queries), pictured=pictured, grades=grades)
        yield replace(encoded, query=query), batch.known_of(rows).to(device), portion


def _share(rows: slice, total: int) -> float:
    return (rows.stop - rows.start) / max(1, total)


def _row_slices(step: Step, num_rows: int, num_columns: int) -> Iterator[slice]:
    size = max(1, _SCORES // max(1, num_columns)) if step.by_rows else max(1, num_rows)
    for start in range(0, max(1, num_rows), size):
        yield slice(start, min(start + size, num_rows))


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


def _counted(output: QueryOutput | ItemOutput, name: str) -> int:
    """Return how many rows a mean of an output was taken over."""
    if isinstance(output, ItemOutput) and name == "image_norm":
        return int(output.has_picture.sum())
    return len(next(iter(_rows_of(output).values())))
