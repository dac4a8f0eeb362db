"""Items like one, and ways to go on typing."""

from starlette.testclient import TestClient


def test_similar_items_and_suggestions(client: TestClient):
    item_id = client.get("/search?q=lamp&limit=1").json()["hits"][0]["item_id"]
    similar = client.get(f"/similar/{item_id}?limit=5").json()
    assert len(similar["hits"]) == 5
    assert similar["item"]["item_id"] == item_id
    assert item_id not in {hit["item_id"] for hit in similar["hits"]}
    assert client.get("/similar/nothing").status_code == 404
    assert client.get("/similar/x?limit=0").status_code == 422
    suggestions = client.get("/suggest?q=lam").json()["suggestions"]
    assert suggestions
    assert all("lam" in each["text"] for each in suggestions)
    assert client.get("/suggest?q=").json()["suggestions"] == []
    assert client.get("/suggest", params={"q": "x" * 201}).status_code == 422


def test_parameters_that_a_route_does_not_have_are_refused(client: TestClient):
    item = client.get("/search?q=lamp").json()["hits"][0]["item_id"]
    for path in ("/suggest?q=lam&limt=3&lang=de", f"/similar/{item}?limt=3&lang=de"):
        answer = client.get(path)
        assert answer.status_code == 422
        told = {each["field"]: each["detail"] for each in answer.json()["problems"]}
        assert sorted(told) == ["lang", "limt"]
        assert told["limt"].endswith("Did you mean 'limit'?")
