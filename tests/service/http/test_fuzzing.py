"""Whatever a client sends, within what /openapi.json says or not, is answered without a 500."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

# Beside what the schema says: what breaks parsers, paths, queries, files and arithmetic.
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\0", "../../etc/passwd", "%00", "<script>", "a" * 3000, "\u202e", "\ufeff",
         "nan", "-1", "1e999", "NULL", "{{7*7}}", "' OR 1=1 --", "\U0001f3ee", "v1", "current"]
    ),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-5, 50),
    st.sampled_from([2**31, -(2**63), 2**64, 10**30, 0.5, -0.0, 1e308]),
    st.floats(allow_nan=False, allow_infinity=False),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema allows, its example among them."""
    if "anyOf" in schema:
        return st.one_of(*map(fitting, schema["anyOf"]))
    kinds = schema.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    values: st.SearchStrategy[Any]
    if kind == "integer":
        values = st.integers(schema.get("minimum", -5), schema.get("maximum", 100))
    elif kind == "number":
        values = st.floats(0, 1)
    elif kind == "boolean":
        values = st.booleans()
    elif kind == "array":
        values = st.lists(near(schema.get("items", {})), max_size=3)
    elif kind == "object":
        properties = {name: near(inner) for name, inner in schema.get("properties", {}).items()}
        required = {n: s for n, s in properties.items() if n in schema.get("required", [])}
        optional = {n: s for n, s in properties.items() if n not in required}
        values = st.fixed_dictionaries(required, optional=optional)
    else:
        values = st.sampled_from(["lamp", "red lamp", "brand", "price", "item_id"]) | TEXTS
    return st.just(schema["example"]) | values if "example" in schema else values


def near(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return mostly what a schema allows, and now and then anything."""
    if not schema:
        return ANYTHING
    return st.integers(0, 5).flatmap(lambda n: ANYTHING if n == 0 else fitting(schema))


def operations(client: TestClient) -> list[tuple[str, str, dict[str, Any]]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [(path, verb, says) for path, verbs in paths.items() for verb, says in verbs.items()]


def call(
    client: TestClient, operation: tuple[str, str, dict[str, Any]], data: st.DataObject
) -> Any:
    """Return the response to a request that is drawn for an operation."""
    path, verb, says = operation
    params: dict[str, str] = {}
    for each in says.get("parameters", []):
        value = data.draw(near(each["schema"]), label=each["name"])
        text = value if isinstance(value, str) else json.dumps(value)
        text = text.encode("utf-8", "replace").decode()
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", text.replace("/", "%2f") or "x")
            path = path.replace(f"{{{each['name']}:path}}", text or "x")
        elif data.draw(st.booleans(), label=f"with {each['name']}"):
            params[each["name"]] = text
    if "requestBody" not in says:
        body = b"{}" if verb == "post" else None
    else:
        schema = says["requestBody"]["content"]["application/json"]["schema"]
        drawn = data.draw(st.one_of(near(schema), ANYTHING, st.binary(max_size=40)), label="body")
        body = drawn if isinstance(drawn, bytes) else json.dumps(drawn).encode()
    safe = "".join(c if c.isprintable() and c not in "?#\\" else "_" for c in path)
    headers = {"content-type": "application/json"}
    return client.request(verb.upper(), safe, params=params, content=body, headers=headers)


@pytest.mark.parametrize(
    "examples", [pytest.param(6, id="few"), pytest.param(300, id="many", marks=pytest.mark.slow)]
)
def test_no_request_breaks_a_route(client: TestClient, examples: int):
    found = operations(client)
    assert len(found) >= 16

    @settings(
        max_examples=examples * len(found),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def attack(data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(found) - 1))
        operation = found[number]
        note(f"{operation[1]} {operation[0]}")
        response = call(client, operation, data)
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == response.status_code
            # A drawn path may be that of no route.
            said = {*operation[2]["responses"], *({"404", "405"} if "{" in operation[0] else ())}
            assert str(response.status_code) in said

    attack()


def test_examples_of_the_documentation_are_answered(client: TestClient):
    for path, verb, says in operations(client):
        if "requestBody" not in says or "{" in path:
            continue
        schema = says["requestBody"]["content"]["application/json"]["schema"]
        example = schema.get("example") or schema["anyOf"][-1]["example"]
        response = client.request(verb.upper(), path, json=example)
        # The documentation's items are the demo shop's, which a test's own shop need not have.
        unknown = "there is no item" in response.text
        assert response.status_code == 200 or unknown, f"{path}: {response.text}"
