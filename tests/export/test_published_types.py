"""What engines are sent, against the types that their makers publish with their clients.

`make browser` installs these from this folder's package-lock.json. A type knows every name that a
request may have and what may stand under it; whether an engine ranks so is not its business.
"""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from smar.export.targets import load_target

pytestmark = pytest.mark.browser
PACKAGES = Path(__file__).parent / "node_modules"
ELASTIC = PACKAGES / "@elastic/elasticsearch/lib/api/types"
OPENSEARCH = PACKAGES / "@opensearch-project/opensearch/api"
# The module and the name of the type: of what makes an index, of a search, of one that leaves
# something out, of a line of bulk.
TYPES = {
    "elasticsearch": (
        (ELASTIC, "IndicesCreateRequest"),
        *[(ELASTIC, "SearchRequest")] * 2,
        (ELASTIC, "BulkOperationContainer"),
    ),
    "opensearch": (
        (OPENSEARCH / "indices/create", "Indices_Create_RequestBody"),
        *[(OPENSEARCH / "_core/search", "Search_RequestBody")] * 2,
        (OPENSEARCH / "_types/_core.bulk", "OperationContainer"),
    ),
}


@pytest.fixture
def compiler() -> list[str]:
    if not PACKAGES.is_dir() or not shutil.which("node"):
        pytest.skip("needs node and npm's packages: `make browser`, or npm ci in tests/export")
    return ["node", str(PACKAGES / "typescript/bin/tsc"), "--noEmit", "--strict", "--skipLibCheck",
            "--target", "es2022", "--module", "commonjs"]  # fmt: skip


def sent(folder: Path) -> list[Any]:
    """Return what an engine is sent: the index, two searches, the head of a bulk request."""
    with (folder / "bulk.ndjson").open(encoding="utf-8") as lines:
        head = json.loads(next(lines))
    plain = [json.loads((folder / name).read_text()) for name in ("mapping.json", "query.json")]
    denied = json.loads((folder.parent / "expected.json").read_text())["queries"][-1]
    assert denied["without"]
    denied["without"][0]["unless"] = [0]
    return [*plain, load_target(folder.name).query_body(denied, 10), head]


def problems(compiler: list[str], target: str, contents: list[Any], folder: Path) -> str:
    """Return what TypeScript says of contents of the types of an engine, "" for nothing."""
    lines = []
    for number, ((module, name), content) in enumerate(zip(TYPES[target], contents, strict=True)):
        own = f"Type{number}"
        made = f"Omit<{own}, 'index'>" if name == "IndicesCreateRequest" else own
        lines += [
            f"import type {{ {name} as {own} }} from {json.dumps(str(module))};",
            f"export const sent{number}: {made} = {json.dumps(content)};",
        ]
    (folder / "sent.ts").write_text("\n".join(lines), encoding="utf-8")
    told = subprocess.run(
        [*compiler, "sent.ts"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (told.returncode == 0) == (told.stdout == ""), told.stderr
    return told.stdout


@pytest.mark.parametrize("target", TYPES)
def test_requests_are_of_the_types_that_the_engine_publishes(
    exported: SimpleNamespace, compiler: list[str], target: str, tmp_path: Path
):
    contents = sent(exported.folder / target)
    assert problems(compiler, target, contents, tmp_path) == ""


@pytest.mark.parametrize("target", TYPES)
def test_types_would_notice_a_wrong_name_and_a_wrong_value(
    exported: SimpleNamespace, compiler: list[str], target: str, tmp_path: Path
):
    mapping, query, denied, head = sent(exported.folder / target)
    vector = mapping["mappings"]["properties"]["vector"]
    vector["dimz"] = 3
    query["sort"] = 5
    query["query"]["script_score"]["skript"] = {}
    head["indx"] = head.pop("index")
    denied["query"]["script_score"]["query"]["bool"]["must_nut"] = []
    told = problems(compiler, target, [mapping, query, denied, head], tmp_path)
    for name in ("dimz", "skript", "indx", "5", "must_nut"):
        assert name in told
