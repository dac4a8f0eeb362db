"""Graphs for the query towers of the releases that answer, taken or written while they answer."""

import logging
import threading
from pathlib import Path

from smar.errors import ExportError, SmarError
from smar.models.onnx import import_runtime
from smar.models.onnx_kept import graph_path, made_queries
from smar.paths import Paths
from smar.service.finding import ONNX, TORCH, Encode, QueryTower
from smar.service.http.settings import Runtime
from smar.service.retriever import Retriever

logger = logging.getLogger(__name__)


class QueryTowers:
    """Gives retrievers the graphs of their query towers.

    Args:
        root: The project's root folder; graphs are kept below `.smar/onnx`.
        runtime: "torch" has the model itself encode; "onnx" waits for a graph and takes no release
            without one; "auto" takes one that is there at once, and another when it is written,
            until when torch answers.
    """

    def __init__(self, root: Path, runtime: Runtime) -> None:
        self._root, self._runtime = root, runtime
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def give(self, retriever: Retriever) -> None:
        """Have a retriever's queries encoded by what was asked for, now or as soon as it is there.

        Raises:
            ExportError: If only a graph will do, and there can be none.
        """
        if self._runtime == TORCH:
            retriever.encode_by_model()
            return
        if retriever.tower.runtime == ONNX:
            self._take(retriever, retriever.tower.encode)
            return
        if self._runtime == ONNX:
            self._make(retriever)
            return
        try:
            import_runtime()
        except ExportError as error:
            logger.info("queries are encoded by torch: %s", error)
            return
        thread = threading.Thread(target=self._try, args=(retriever,), name="onnx", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def close(self) -> None:
        """Break off what is being written."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _try(self, retriever: Retriever) -> None:
        try:
            self._make(retriever)
        except (SmarError, OSError) as error:
            logger.warning("queries are encoded by torch: %s", error)

    def _make(self, retriever: Retriever) -> None:
        folder, path = self._folder(retriever), self._path(retriever)
        found = made_queries(folder, path, is_wanted=lambda: not self._stop.is_set())
        if found is not None:
            self._take(retriever, found.encode)

    def _take(self, retriever: Retriever, encode: Encode) -> None:
        encode(["warm"])
        retriever.tower = QueryTower(ONNX, encode)  # batches that have begun end on the other one
        logger.info("%s: ONNX Runtime encodes queries", retriever.release or "working tree")

    def _folder(self, retriever: Retriever) -> Path:
        paths = Paths(self._root)
        if not retriever.release:
            return paths.retriever
        own = paths.releases / retriever.release / "model"
        return own if own.is_dir() else paths.release / "model"

    def _path(self, retriever: Retriever) -> Path:
        return graph_path(self._folder(retriever), self._root / ".smar" / "onnx")
