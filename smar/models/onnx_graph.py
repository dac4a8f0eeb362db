"""Writes the query tower with its gate as an ONNX graph; `onnx` runs it without torch.

Shapes: Q queries, L tokens, K vectors a query, D embedding length.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from smar.errors import ExportError
from smar.models.dual_encoder import DualEncoder
from smar.models.encode import encode_queries
from smar.models.onnx import INPUTS, MISSING, OPSET, TOLERANCE, OnnxQueries
from smar.replace import write_file

_OUTPUTS = ("vector", "gate", "gated")
_CHECKED = (
    "red striped dress",
    "usb c cable 2m",
    "sofa",
    "",
    "a long query of many words that is cut where the tower stops reading " * 4,
)


class QueryGraph(nn.Module):
    """The query side of a model: token ids to `Q`, `P(q)` and `[(1-g) Q ; g Q]`.

    Args:
        model: The model; its weights are shared.
    """

    def __init__(self, model: DualEncoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return unit rows [Q, D], gates [Q] and gated rows [Q, 2 D]; [Q, K, .] of K vectors."""
        output = self.model.encode_query_tokens(input_ids, attention_mask.sum(1))
        gate = output.gate_logit.sigmoid()
        share = gate.reshape(-1, *[1] * (output.embedding.dim() - 1))
        vector = output.embedding
        return vector, gate, torch.cat([(1 - share) * vector, share * vector], dim=-1)


class TokenGraph(nn.Module):
    """`[(1-g) Q ; g Q]` at every token, for engines that pool token states by themselves.

    The mean over tokens and the first token both are the gated query; nothing may scale it.

    Args:
        model: A model whose queries have one vector each.
    """

    def __init__(self, model: DualEncoder) -> None:
        super().__init__()
        self.queries = QueryGraph(model)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the same gated row for each token, [Q, L, 2 D]."""
        gated = self.queries(input_ids, attention_mask)[2]
        return gated[:, None, :].expand(-1, input_ids.shape[1], -1).clone()


def write_query_graph(model: DualEncoder, path: Path) -> float:
    """Write the query tower with its gate as ONNX and return its largest difference to the model.

    Outputs are `vector` (Q), `gate` and `gated`.

    Raises:
        ExportError: If a library is missing, the tower or the gate cannot be a graph, or what the
            graph gives differs by more than `TOLERANCE`; nothing is written then.
    """
    with write_file(path) as temporary:
        _write(QueryGraph(model), _OUTPUTS, temporary)
        return check_queries(OnnxQueries.load(temporary, model.query_tokenizer), model, path)


def write_token_graph(model: DualEncoder, path: Path) -> None:
    """Write `TokenGraph` as ONNX, its output being `last_hidden_state`.

    Raises:
        ExportError: If a query has several vectors, or the tower cannot be a graph.
    """
    if model.query.vectors > 1:
        raise ExportError(
            f"a query has {model.query.vectors} vectors and an engine that pools tokens makes one. "
            "Train with model.query_vectors.count: 1 for such an engine."
        )
    with write_file(path) as temporary:
        _write(TokenGraph(model), ("last_hidden_state",), temporary)


def write_int8(graph: Path, path: Path) -> None:
    """Write a graph with its matrices as 8-bit integers, their inputs scaled as they come.

    Raises:
        ExportError: If a library is missing.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ExportError(MISSING.format(error.name)) from error
    model = onnx.load(graph)
    del model.graph.value_info[:]  # shapes of before the exporter folded weights; they are inferred
    with write_file(path) as temporary, _quiet():
        quantize_dynamic(model, temporary, per_channel=True, weight_type=QuantType.QInt8)


def check_queries(queries: OnnxQueries, model: DualEncoder, path: Path) -> float:
    """Return the largest difference between graph and model over texts together and one by one.

    Raises:
        ExportError: If it is larger than `TOLERANCE`.
    """
    expected = encode_queries(model, _CHECKED)
    largest = 0.0
    for texts in (_CHECKED, *([text] for text in _CHECKED)):
        found = queries.encode(texts)
        rows = [_CHECKED.index(text) for text in texts]
        for seen, wanted in (
            (found.vector, expected.vector[rows]),
            (found.gate, expected.gate[rows]),
        ):
            largest = max(largest, float(np.abs(seen - wanted).max()))
    if not largest <= TOLERANCE:
        raise ExportError(
            f"{path}: the graph differs from the model by {largest:.2g}, expected at most "
            f"{TOLERANCE:g}; it is not used. Serve this model with torch."
        )
    return largest


def _write(graph: nn.Module, outputs: Sequence[str], path: Path) -> None:
    """Write a graph of two inputs whose sizes are free."""
    ids = torch.zeros(2, 5, dtype=torch.int64)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with _quiet():
            program = torch.onnx.export(
                graph.cpu().eval(),
                (ids, mask),
                input_names=list(INPUTS),
                output_names=list(outputs),
                dynamic_shapes=(sizes, sizes),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except ModuleNotFoundError as error:
        raise ExportError(MISSING.format(error.name)) from error
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ExportError(
            f"the query tower cannot be written as ONNX ({reason}). Serve this model with torch."
        ) from error
    if program is None:
        raise ExportError("torch wrote no ONNX program. Serve this model with torch.")
    _forget_origin(program.model)
    program.save(path)


def _forget_origin(model: Any) -> None:
    """Take from an ONNX model where its code lies: equal models are equal bytes everywhere."""
    values = [*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()]
    nodes = list(model.graph.all_nodes())
    values += [value for node in nodes for value in node.outputs]
    for part in (model, model.graph, *nodes, *values):
        part.metadata_props.clear()
        part.doc_string = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of its own future and of libraries that are not needed."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "root")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
