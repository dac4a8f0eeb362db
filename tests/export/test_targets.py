"""Engines answer as smar does: those that can run here for real, the others' files by an oracle."""

import importlib.util
import json
import math
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from smar.export import selftest
from smar.export.targets import load_target, names

pytestmark = pytest.mark.whole

CLIENTS = {"qdrant": "qdrant_client", "milvus": "pymilvus", "lancedb": "lancedb"}
WHERE = "SMAR_PGVECTOR"


def script(folder: Path, *arguments: str) -> str:
    """Return what an engine's shipped script prints, where smar cannot be imported."""
    guard = "import sys; sys.modules['smar'] = None; sys.path.insert(0, '.'); sys.argv.pop(0)\n"
    code = f"{guard}import runpy; runpy.run_path('search.py', run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "search.py", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def check(exported: SimpleNamespace, target: str, place: str) -> None:
    script(exported.folder / target, "load", place)
    lines = script(exported.folder / target, "answers", place).splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    assert selftest.check_answers(exported.folder, answers)


@pytest.mark.parametrize("target", CLIENTS)
def test_engine_of_a_package_gives_the_same_items(
    exported: SimpleNamespace, target: str, tmp_path: Path
):
    if importlib.util.find_spec(CLIENTS[target]) is None:
        pytest.skip(f"{CLIENTS[target]} is not installed: pip install {CLIENTS[target]}")
    check(exported, target, str(tmp_path / "items.db"))


def test_postgresql_gives_the_same_items(exported: SimpleNamespace):
    if WHERE not in os.environ:
        pytest.skip(f"{WHERE} names no database in which `CREATE EXTENSION vector` works")
    check(exported, "pgvector", os.environ[WHERE])


def test_every_target_says_how_it_is_used(exported: SimpleNamespace):
    for name in names():
        told = (exported.folder / name / "README.md").read_text()
        assert "search.py load" in told or "vespa deploy" in told
        assert ("not run by us" in told) == (name in ORACLES)
        for file in (exported.folder / name).rglob("*.py"):
            assert "smar.export" not in file.read_text()


def packed(code: int) -> tuple[int, float]:
    return code >> 32, struct.unpack("<f", struct.pack("<I", code & 0xFFFFFFFF))[0]


def matches(document: dict, clause: dict) -> bool:
    """Return whether a document fits a `terms` or `bool` clause."""
    if "terms" in clause:
        [(name, values)] = clause["terms"].items()
        return not set(values).isdisjoint(document.get(name, []))
    parts = clause["bool"]
    return all(matches(document, part) for part in parts.get("filter", [])) and not any(
        matches(document, part) for part in parts.get("must_not", [])
    )


def lucene(scale: Callable[..., float]) -> Callable[[Path, dict], list[str]]:
    """Return an oracle of what a script over the bulk file's documents gives."""

    def answer(folder: Path, body: dict) -> list[str]:
        lines = (folder / "bulk.ndjson").read_text().splitlines()
        documents = [json.loads(line) for line in lines[1::2]]
        assert [json.loads(line)["index"]["_id"] for line in lines[::2]] == [
            document["item_id"] for document in documents
        ]
        parameters = body["query"]["script_score"]["script"]["params"]
        vector = np.array(parameters["vector"])
        asked = body["query"]["script_score"]["query"]["bool"]
        [nearest, terms] = asked["should"]
        gone = {"must_not": asked["must_not"]} if "must_not" in asked else {}
        of_nearest = nearest["knn"].get("vector", nearest["knn"])  # OpenSearch names the field here
        assert of_nearest.get("filter") == ({"bool": gone} if gone else None)
        scores = {}
        for document in documents:
            if not matches(document, {"bool": gone}):
                continue
            weights = dict(map(packed, document["word_codes"]))
            assert list(weights) == document["word_ids"]
            found = {str(word): weight for word, weight in weights.items()}
            words = sum(w * found.get(word, 0) for word, w in parameters["words"].items())
            assert (words > 0) == bool(set(weights) & set(terms["terms"]["word_ids"]))
            dense = scale(parameters, np.array(document["vector"]), vector)
            scores[document["item_id"]] = (-(1 + dense + words), document["row"])
        return sorted(scores, key=scores.get)[: body["size"]]

    return answer


def cosine(parameters: dict, item: np.ndarray, query: np.ndarray) -> float:
    return parameters["length"] * item @ query / math.sqrt((item @ item) * (query @ query))


def vespa(folder: Path, body: dict) -> list[str]:
    vector = np.array(json.loads(body["input.query(vector)"]))
    cells = re.findall(r"(\d+): ([^,}]+)", body["input.query(words)"])
    # `has_ids in (1, 2)`, `and`, `!` and brackets are Python's but for the sign.
    condition = re.search(r"\) ?((?:and !\(.*)?)$", body["yql"])[1].removeprefix("and ")
    condition = re.sub(r"has_ids in \(([^)]*)\)", r"bool({\1} & has)", condition)
    condition = condition.replace("!", " not ").strip() or "True"
    scores = {}
    for line in (folder / "documents.jsonl").read_text().splitlines():
        fields = json.loads(line)["fields"]
        of_item = fields["words"]["cells"]
        if not eval(condition, {"has": set(fields["has_ids"])}):  # noqa: S307 - our own words
            continue
        words = sum(float(weight) * of_item.get(word, 0) for word, weight in cells)
        scores[fields["item_id"]] = -(np.array(fields["vector"]["values"]) @ vector + words)
    return sorted(scores, key=scores.get)[: body["hits"]]


ORACLES = {
    "elasticsearch": lucene(lambda _, item, query: item @ query),
    "opensearch": lucene(cosine),
    "vespa": vespa,
}


@pytest.mark.parametrize("target", ORACLES)
def test_item_with_a_word_that_lets_it_stay_stays(exported: SimpleNamespace, target: str):
    items, module = selftest.Items(exported.folder), load_target(target)
    expected = json.loads((exported.folder / "expected.json").read_text())["queries"]
    query = max(expected, key=lambda one: len(set(one["word_ids"])))
    [first] = query["word_ids"][:1]
    common = np.bincount(items._has[items._has != first]).argmax().item()
    for words in ([[first]], [[first], [common]]):
        for unless in ([], [common], [common, common + 1]):
            without = [{"words": words, "unless": unless}]
            asked = query | {"without": without}
            found = ORACLES[target](exported.folder / target, module.query_body(asked, 10_000))
            left = {items.ids[row] for row in np.flatnonzero(items.left_out(without))}
            assert set(found) == {*items.ids} - left


@pytest.mark.parametrize("target", ORACLES)
def test_files_of_an_engine_hold_the_same_scores(exported: SimpleNamespace, target: str):
    expected = json.loads((exported.folder / "expected.json").read_text())["queries"]
    module, folder = load_target(target), exported.folder / target
    chosen = [*expected[:5], *expected[-5:]]
    assert [bool(query["without"]) for query in chosen] == [False] * 5 + [True] * 5
    problems = [
        selftest.moved(query, ORACLES[target](folder, module.query_body(query, 10)))
        for query in chosen
    ]
    assert problems == [""] * 10
    assert json.loads((folder / "query.json").read_text()) == module.query_body(expected[0], 10)
