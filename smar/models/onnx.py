"""The query tower with its gate as an ONNX graph, run without torch; `onnx_graph` writes it.

A graph takes `input_ids` and `attention_mask`, int64 [Q, L] with the padding on the right, and
gives what a search needs. ONNX Runtime encodes one query several times faster than torch does,
which spends its time between the operations and not in them, and is imported in a tenth of the
time (docs/export.md has figures).

Shapes: Q queries, L tokens, K vectors a query, D embedding length.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smar.errors import ExportError
from smar.models.embeddings import QueryEmbeddings
from smar.models.saved import PROBE_TEXTS, PROBE_TOLERANCE, read_probe, read_tokenizer
from smar.models.tokenizer import TextTokenizer

TOLERANCE = 1e-5
"""Largest difference between a graph and the model that it was made from."""

OPSET = 20
INPUTS = ("input_ids", "attention_mask")
MISSING = "{} is not installed: `pip install 'smar[export]'` brings it."
_WANTED = ["vector", "gate"]
_TOGETHER = 16  # queries of one call; more are parted by length, so that little is padding


def import_runtime() -> Any:
    """Return the module `onnxruntime`.

    Raises:
        ExportError: If it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(MISSING.format(error.name)) from error
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
    return dict(zip(INPUTS, (table.ids.astype(np.int64), mask.astype(np.int64)), strict=True))


def proven_queries(folder: Path, graph: Path, threads: int = 1) -> OnnxQueries:
    """Return the graph of a saved model, proven by what the model gave when it was saved.

    Args:
        folder: The model's directory artefact.
        graph: As `write_query_graph` wrote it.
        threads: As for `OnnxQueries.load`.

    Raises:
        ArtifactError: If what is read of the model is missing or damaged.
        ExportError: If ONNX Runtime is missing, cannot run the graph, or gets other embeddings.
    """
    queries = OnnxQueries.load(graph, read_tokenizer(folder, "query"), threads)
    expected, found = read_probe(folder), queries.encode(PROBE_TEXTS)
    for name, values in (("query", found.vector), ("gate", found.gate)):
        same_shape = values.shape == expected[name].shape
        difference = float(np.abs(values - expected[name]).max()) if same_shape else np.inf
        if not difference <= PROBE_TOLERANCE:
            raise ExportError(
                f"{graph}: gives other {name} embeddings than the model in {folder} did when it "
                f"was saved (difference {difference:.2g}, expected at most {PROBE_TOLERANCE}). It "
                "is not used."
            )
    return queries
