"""`smar export`: a folder with all that another engine needs, whole or not at all."""

import inspect
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from smar.artifacts import (
    MANIFEST,
    Manifest,
    read_manifest,
    verify_directory,
    write_directory,
    write_json,
)
from smar.errors import ArtifactError, ExportError
from smar.export import selftest
from smar.export.answers import expected_answers
from smar.export.items import write_items
from smar.export.sentence_transformers import write_sentence_transformer
from smar.export.source import Source
from smar.export.targets import load_target, write_target
from smar.export.tokenizer import whole_tokenizer
from smar.export.words import words_content
from smar.index import word_forms
from smar.models.onnx_graph import write_int8, write_query_graph, write_token_graph

logger = logging.getLogger(__name__)

KIND = "export"
_QUERIES = 50
_OWN_PACKAGE = "from smar.index.word_forms import"
_ALONE = "from word_forms import"


def write_export(folder: Path, source: Source, targets: Sequence[str] = ()) -> list[str]:
    """Write an export and return what is in it, one line each.

    Args:
        folder: A new or empty folder, or an earlier export, which is replaced.
        source: What is exported.
        targets: Engines whose own files are written too, each into a folder of its name.

    Raises:
        ExportError: If something else is in the folder, a target is not known, or the query tower
            cannot leave.
    """
    chosen = sorted(set(targets))
    for name in chosen:
        load_target(name)
    check_place(folder)
    manifest = Manifest(kind=KIND, details=_about(source))
    with write_directory(folder, manifest) as part:
        difference = write_query_graph(source.model, part / "query.onnx")
        write_int8(part / "query.onnx", part / "query.int8.onnx")
        tokenizer = whole_tokenizer(source.model.query_tokenizer)
        (part / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
        left_out = _write_for_libraries(part, source, tokenizer)
        write_items(part / "items.parquet", source)
        _dump(part / "words.json", words_content(source.index))
        answers = expected_answers(source, _QUERIES)
        _dump(part / "expected.json", answers)
        about = manifest.details | {"left_out": left_out, "targets": chosen}
        write_json(part / "about.json", about)
        _write_selftest(part)
        for name in chosen:
            write_target(name, part, part / name)
        manifest.details = about
    queries, same = len(answers["queries"]), answers["same_as_index"]
    lines = [f"smar's own index gives the same first ten for {same} of {queries}"]
    if source.exclusive is not None:
        lines.append(
            f"a search of smar gives them for {answers['same_as_search']}: it takes away what "
            f"words that exclude each other speak against (index.exclusive_words "
            f"{source.exclusive.weight:g}), which no engine is told"
        )
    if not source.index.negation:
        lines.append("queries are encoded as typed, also what they deny (index.negation: false)")
    return [
        f"{folder.resolve()}: {len(source.index.item_ids)} items of "
        f"{source.release or 'the working tree'}, the query tower (differs from the model by "
        f"{difference:.1g} at most), words, {queries} queries with their answers",
        *lines,
        *(f"left out: {name}: {reason}" for name, reason in left_out.items()),
        *(f"{name}: {folder / name}" for name in chosen),
    ]


def check_export(folder: Path) -> list[str]:
    """Return what was checked of an export, one line each: every hash, and every answer again.

    Raises:
        ArtifactError: If it is missing, damaged, or no export.
        ExportError: If graph, words or items do not give the answers that were written.
    """
    manifest = verify_directory(folder, KIND)
    try:
        found = selftest.check(folder)
    except ValueError as error:
        raise ExportError(f"{folder}: {error}") from error
    size = sum(facts["bytes"] for facts in manifest.files.values())
    return [f"{len(manifest.files)} files, {size / 1e6:.1f} MB, every hash as written", *found]


def check_place(folder: Path) -> None:
    """Refuse a folder that holds anything but an export.

    Raises:
        ExportError: Names what is there.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"{folder}: is a file. Name a new or empty folder.")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    if not there:
        return
    own: set[str] = set()
    if MANIFEST in there:
        try:
            own = {MANIFEST, *read_manifest(folder, KIND).files}
        except ArtifactError as error:
            raise ExportError(f"{folder}: would be replaced, and {error}") from error
    others = sorted(there - own)
    if others:
        raise ExportError(
            f"{folder}: holds {len(others)} files that no export wrote (first: {others[0]}) and "
            "that would be lost. Name a new or empty folder, or an earlier export."
        )


def _about(source: Source) -> dict[str, Any]:
    model = source.model
    return {
        "release": source.release,
        "model_sha": source.model_sha,
        "score": "(1 - share) * (vector . item vector) + (words . item words)",
        "num_items": len(source.index.item_ids),
        "num_words": len(source.index.words.vocabulary),
        "length": 2 * model.dim,
        "vectors_per_query": model.query.vectors,
        "word_share": source.index.word_share,
        "exclusive_words": source.exclusive.weight if source.exclusive else 0.0,
        "max_tokens": model.query_tokenizer.max_tokens,
    }


def _write_for_libraries(part: Path, source: Source, tokenizer: str) -> dict[str, str]:
    """Write what not every model can give; return why each that is left out is."""
    left_out = {}
    try:
        write_token_graph(source.model, part / "embedder.onnx")
    except ExportError as error:
        left_out["embedder.onnx"] = str(error)
    try:
        write_sentence_transformer(part / "sentence-transformers", source.model, tokenizer)
    except ExportError as error:
        left_out["sentence-transformers"] = str(error)
    return left_out


def _write_selftest(part: Path) -> None:
    """Write the reader and the forms of words as two files that need no smar."""
    text = inspect.getsource(selftest).replace(_OWN_PACKAGE, _ALONE)
    (part / "selftest.py").write_text(text, encoding="utf-8")
    (part / "word_forms.py").write_text(inspect.getsource(word_forms), encoding="utf-8")


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))
