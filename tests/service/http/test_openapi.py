"""What /openapi.json says is so: examples fit their schemas, and so do answers."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def fits(value: object, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Return what of a value a schema does not allow; the document holds what it refers to."""
    whole = schema | {"components": document.get("components", {})}
    validator = jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(value)]


def examples(node: Any, at: str = "#") -> Iterator[tuple[str, dict[str, Any], object]]:
    """Yield every example of a document with its place and its schema, or its parameter's."""
    if isinstance(node, list):
        for number, inner in enumerate(node):
            yield from examples(inner, f"{at}/{number}")
        return
    if not isinstance(node, dict):
        return
    if "example" in node:
        yield at, node.get("schema", node), node["example"]
    several = node.get("examples", ())
    for number, example in enumerate(several if isinstance(several, list) else ()):
        yield f"{at}/examples/{number}", node.get("schema", node), example
    for name, inner in node.items():
        if name not in {"example", "examples"}:
            yield from examples(inner, f"{at}/{name}")


def test_examples_fit_their_own_schemas(document: dict[str, Any]):
    found = list(examples(document))
    assert len(found) > 20
    wrong = {
        at: words for at, schema, example in found if (words := fits(example, schema, document))
    }
    assert not wrong


def test_every_response_is_of_one_kind(document: dict[str, Any]):
    """The framework says JSON of its own accord, also of pictures and of what Prometheus reads."""
    says = {
        (path, verb, status): list(response.get("content", {}))
        for path, verbs in document["paths"].items()
        for verb, of in verbs.items()
        for status, response in of["responses"].items()
    }
    assert says["/metrics", "get", "200"] == ["text/plain"]
    assert not {at: kinds for at, kinds in says.items() if len(kinds) > 1}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/search?q=red+lamp&facets=brand,price&explain=true", "/search"),
        ("/search?q=red+lamp&limit=2&collapse=brand", "/search"),
        ("/search?q=", "/search"),
        ("/search?q=lamp&limit=99999&nothing=1", "/search"),
        ("/search?q=lamp&release=v999", "/search"),
        ("/similar/{first}", "/similar/{item_id}"),
        ("/similar/nobody", "/similar/{item_id}"),
        ("/similar/{first}?limit=0", "/similar/{item_id}"),
        ("/suggest?q=la", "/suggest"),
        ("/suggest?q=la&limit=many", "/suggest"),
        ("/items/{first}", "/items/{item_id}"),
        ("/items/nobody", "/items/{item_id}"),
    ],
)
def test_answers_and_problems_fit_what_is_said_of_them(
    client: TestClient, document: dict[str, Any], path: str, route: str
):
    first = client.get("/search?q=lamp&limit=1").json()["hits"][0]["item_id"]
    response = client.get(path.format(first=first))
    says = document["paths"][route]["get"]["responses"]
    assert str(response.status_code) in says
    kind, content = next(iter(says[str(response.status_code)]["content"].items()))
    assert response.headers["content-type"].partition(";")[0] == kind
    assert not fits(response.json(), content["schema"], document)
