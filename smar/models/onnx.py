"""The query tower with its gate as an ONNX graph: written, and run without torch.

A graph takes `input_ids` and `attention_mask`, int64 [Q, L] with the padding on the right, and
gives what a search needs. ONNX Runtime encodes one query several times faster than torch does,
which spends its time between the operations and not in them (docs/export.md has figures).

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
from numpy.typing import NDArray
from torch import Tensor, nn

from smar.errors import ExportError
from smar.models.dual_encoder import DualEncoder
from smar.models.embeddings import QueryEmbeddings
from smar.models.encode import encode_queries
from smar.models.tokenizer import TextTokenizer
from smar.replace import write_file

TOLERANCE = 1e-5
"""Largest difference between a graph and the model that it was made from."""

OPSET = 20
_INPUTS = ("input_ids", "attention_mask")
_OUTPUTS = ("vector", "gate", "gated")
_WANTED = ["vector", "gate"]
_TOGETHER = 16  # queries of one call; more are parted by length, so that little is padding
_MISSING = "{} is not installed: `pip install 'smar[export]'` brings it."
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
        raise ExportError(_MISSING.format(error.name)) from error
    model = onnx.load(graph)
    del model.graph.value_info[:]  # shapes of before the exporter folded weights; they are inferred
    with write_file(path) as temporary, _quiet():
        quantize_dynamic(model, temporary, per_channel=True, weight_type=QuantType.QInt8)


def import_runtime() -> Any:
    """Return the module `onnxruntime`.

    Raises:
        ExportError: If it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(_MISSING.format(error.name)) from error
    return onnxruntime


class OnnxQueries:
    """Queries encoded by ONNX Runtime, as `encode_queries` does it by torch.

    Args:
        session: A session of `onnxruntime` over a graph of `write_query_graph`.
        tokenizer: The query tower's tokenizer.
    """

    def __init__(self, session: Any, tokenizer: TextTokenizer) -> None:
        self._session, self._tokenizer = session, tokenizer

    @classmethod
    def load(cls, path: Path, tokenizer: TextTokenizer, threads: int = 1) -> "OnnxQueries":
        """Return the graph of a file, ready to run on the CPU.

        Args:
            path: The graph.
            tokenizer: The query tower's tokenizer.
            threads: Of one call; calls from several threads run side by side.

        Raises:
            ExportError: If ONNX Runtime is missing, or cannot run the file.
        """
        onnxruntime = import_runtime()
        from onnxruntime.capi import onnxruntime_pybind11_state as failures

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except (failures.Fail, failures.InvalidGraph, failures.InvalidProtobuf,
                failures.NotImplemented, failures.RuntimeException) as error:  # fmt: skip
            raise ExportError(f"{path}: ONNX Runtime cannot run it ({error}).") from error
        return cls(session, tokenizer)

    def encode(self, texts: Sequence[str]) -> QueryEmbeddings:
        """Return the embeddings and gates of normalised query texts, at least one."""
        feed = token_feed(self._tokenizer, texts)
        if len(texts) <= _TOGETHER:
            return QueryEmbeddings(*self._session.run(_WANTED, feed))
        order = np.argsort(feed["attention_mask"].sum(1), kind="stable")
        parts = []
        for rows in np.array_split(order, len(texts) // _TOGETHER):
            longest = int(feed["attention_mask"][rows[-1]].sum())
            part = {name: values[rows, :longest] for name, values in feed.items()}
            parts.append(self._session.run(_WANTED, part))
        vector, gate = (np.concatenate(values) for values in zip(*parts, strict=True))
        return QueryEmbeddings(vector[np.argsort(order)], gate[np.argsort(order)])


def token_feed(tokenizer: TextTokenizer, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return the inputs of a graph for texts, [Q, L] each."""
    table = tokenizer.encode(texts)
    mask = np.arange(table.ids.shape[1]) < table.lengths[:, None]
    return dict(zip(_INPUTS, (table.ids.astype(np.int64), mask.astype(np.int64)), strict=True))


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
                input_names=list(_INPUTS),
                output_names=list(outputs),
                dynamic_shapes=(sizes, sizes),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except ModuleNotFoundError as error:
        raise ExportError(_MISSING.format(error.name)) from error
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ExportError(
            f"the query tower cannot be written as ONNX ({reason}). Serve this model with torch."
        ) from error
    if program is None:
        raise ExportError("torch wrote no ONNX program. Serve this model with torch.")
    program.save(path)


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
