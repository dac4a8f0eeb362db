"""What /openapi.json says of bodies and answers, with examples."""

from typing import Any

from smar.service.http.openapi_answers import (
    ANSWER,
    ITEM,
    PROBLEM,
    SUGGESTED,
    Schema,
)
from smar.service.http.openapi_answers import (
    SIMILAR as SIMILAR_ITEMS,
)

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_FIELD: Schema = {
    "anyOf": [
        {"type": ["string", "number", "null"]},
        {"type": "array", "items": {"type": ["string", "number", "null"]}},
        {
            "type": "object",
            "properties": {
                "not": {},
                **{end: {"type": ["number", "string"]} for end in ("gt", "gte", "lt", "lte")},
            },
            "additionalProperties": False,
        },
    ]
}
FILTERS: Schema = {
    "type": "object",
    "description": "Field: value, values, range or {not: values}; and, or, not join conditions.",
    "properties": {
        "and": {"type": "array", "items": {"type": "object"}},
        "or": {"type": "array", "items": {"type": "object"}},
        "not": {"type": "object"},
    },
    "additionalProperties": _FIELD,
    "example": {"brand": ["Finch & Ivy", "Velmo"], "price": {"gte": 10, "lt": 80}},
}
# Of a search by address and by body alike.
_SEARCH: dict[str, Schema] = {
    "offset": _WHOLE | {"description": "Hits to pass over.", "maximum": 10000},
    "limit": _WHOLE | {"description": "Hits to return.", "maximum": 10000},
    "page": {"type": "integer", "minimum": 1, "description": "In place of offset; from 1."},
    "per_page": _WHOLE | {"description": "In place of limit.", "maximum": 10000},
    "facets_apart": {
        "type": "boolean",
        "description": "Whether a facet passes over the filters on its own field.",
    },
    "facet_values": {"type": "integer", "minimum": 1, "maximum": 1000},
    "collapse": _TEXT | {"description": "A field of which every value is shown once."},
    "sort": _TEXT | {"description": "relevance, a field of numbers, or -field."},
    "sort_among": {"type": "integer", "minimum": 1, "maximum": 10000},
    "min_relevance": _SHARE | {"description": "Least probability of being relevant."},
    "explain": {"type": "boolean", "description": "Whether hits say why they were found."},
    "correct": {
        "type": "boolean",
        "description": "Whether a misspelled query is read as what is meant; true.",
    },
    "word_share": {
        "type": "number",
        "minimum": 0,
        "maximum": 0.99,
        "description": "How much the words count, in place of the release's own share.",
    },
    "gate": _SHARE | {"description": "How much the picture counts, in place of the model's word."},
    "release": _TEXT | {"description": "A version; none for the current one."},
    "query_id": _TEXT | {"description": "The name under which the search is logged."},
    "client_id": _TEXT | {"maxLength": 200, "description": "Who searches, for the log."},
    "track": {"type": "boolean", "description": "Whether the search is logged; true."},
}
_QUERY = _TEXT | {"maxLength": 2000, "description": "What a shopper types; empty to browse."}
_SEARCH_BODY: Schema = {
    "type": "object",
    "properties": {
        "query": _QUERY,
        "filters": FILTERS,
        "facets": {"type": "array", "items": _TEXT, "maxItems": 100},
        **_SEARCH,
    },
    "additionalProperties": False,
    "example": {
        "query": "teal lamp",
        "filters": {"price": {"lt": 100}, "availability": "in_stock"},
        "facets": ["brand", "category.lvl0", "price"],
        "page": 1,
        "per_page": 12,
        "explain": True,
    },
}
_ID = {"type": "string", "minLength": 1, "maxLength": 500}
_UBI_QUERY: Schema = {
    "type": "object",
    "properties": {
        "application": _ID,
        "query_id": _ID,
        "client_id": {"type": "string", "maxLength": 500},
        "user_query": {"type": "string", "maxLength": 2000},
        "query_attributes": {"type": "object"},
        "object_id_field": _TEXT,
        "timestamp": {"type": "string", "format": "date-time"},
        "query_response_hit_ids": {"type": "array", "items": _TEXT},
    },
    "required": ["query_id", "user_query"],
    "example": {
        "application": "shop",
        "query_id": "0d4e5a9e-6a3b-4d6c-9d0e-0c3c7c1f2a11",
        "client_id": "c-17",
        "user_query": "teal lamp",
        "query_response_hit_ids": ["d00017", "d00342"],
        "timestamp": "2026-11-28T10:00:00.000Z",
    },
}
_UBI_EVENT: Schema = {
    "type": "object",
    "properties": {
        "application": _ID,
        "action_name": _ID | {"example": "click"},
        "query_id": {"type": "string", "maxLength": 500},
        "session_id": {"type": "string", "maxLength": 500},
        "client_id": {"type": "string", "maxLength": 500},
        "timestamp": {"type": "string", "format": "date-time"},
        "message_type": _TEXT,
        "message": {"type": "string", "maxLength": 2000},
        "event_attributes": {"type": "object"},
    },
    "required": ["action_name"],
    "example": {
        "application": "shop",
        "action_name": "click",
        "query_id": "0d4e5a9e-6a3b-4d6c-9d0e-0c3c7c1f2a11",
        "client_id": "c-17",
        "timestamp": "2026-11-28T10:00:05.000Z",
        "event_attributes": {
            "object": {"object_id": "d00342", "object_id_field": "item_id"},
            "position": {"ordinal": 2},
        },
    },
}
_GRADE: Schema = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 500},
        "item_id": {"type": "string", "minLength": 1, "maxLength": 500},
        "grade": {"type": ["integer", "null"], "minimum": 0, "maximum": 3},
        "judge": {"type": "string", "maxLength": 500},
    },
    "required": ["query", "item_id", "grade"],
    "additionalProperties": False,
    "example": {"query": "teal lamp", "item_id": "d00342", "grade": 3},
}
_ALGOLIA_QUERY: Schema = {
    "type": "object",
    "properties": {
        "indexName": _TEXT,
        "query": _TEXT,
        "params": _TEXT | {"description": "The same as the other keys, as of an address."},
        "page": _WHOLE | {"description": "From 0."},
        "hitsPerPage": _WHOLE | {"maximum": 1000},
        "facets": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
        "filters": _TEXT | {"example": "brand:Velmo AND price < 50"},
        "facetFilters": {"anyOf": [_TEXT, {"type": "array"}]},
        "numericFilters": {"anyOf": [_TEXT, {"type": "array"}]},
        "highlightPreTag": _TEXT,
        "highlightPostTag": _TEXT,
    },
}
_ALGOLIA: Schema = {
    "type": "object",
    "properties": {"requests": {"type": "array", "items": _ALGOLIA_QUERY, "maxItems": 50}},
    "required": ["requests"],
    "example": {
        "requests": [
            {"indexName": "items", "query": "lamp", "hitsPerPage": 12, "facets": ["brand"]}
        ]
    },
}


def _body(schema: Schema) -> Schema:
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _several(schema: Schema) -> Schema:
    array = {"type": "array", "items": schema, "maxItems": 1000}
    return _body({"anyOf": [array, schema]})


def _parameter(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _responses(schema: Schema, *refused: int, kind: str = "application/json") -> dict[Any, Schema]:
    words = {
        400: "No JSON", 401: "A key is needed", 403: "Not allowed", 404: "Not there",
        413: "Too large", 415: "No JSON by its type", 422: "All problems",
        429: "Too many requests", 503: "Come back later", 507: "The log is full",
    }  # fmt: skip
    problem = {"application/problem+json": {"schema": PROBLEM}}
    found: dict[Any, Schema] = {
        200: {"description": "Done", "content": {kind: {"schema": schema}}},
    }
    return found | {s: {"description": words[s], "content": problem} for s in refused}


SEARCH_POST = _body(_SEARCH_BODY)
SEARCH_GET: Schema = {
    "parameters": [
        _parameter("q", _QUERY | {"example": "teal lamp"}),
        _parameter("filters", _TEXT | {"description": "The filters of a body, as JSON."}),
        _parameter("facets", _TEXT | {"description": "Fields, parted by commas."}),
        *(_parameter(name, schema) for name, schema in _SEARCH.items()),
    ]
}
UBI_QUERIES, UBI_EVENTS = _several(_UBI_QUERY), _several(_UBI_EVENT)
JUDGEMENTS, ALGOLIA = _several(_GRADE), _body(_ALGOLIA)
_ANY: Schema = {"type": "object"}
ANSWERS = _responses(ANSWER, 400, 403, 404, 413, 422, 429, 503)
SIMILAR = _responses(SIMILAR_ITEMS, 404, 422, 429)
SUGGESTIONS = _responses(SUGGESTED, 422, 429)
ITEMS = _responses(ITEM, 404)
PICTURES = _responses({"type": "string", "format": "binary"}, 404, 422, 503, kind="image/jpeg") | {
    304: {"description": "As it was"}
}
KEPT = _responses(_ANY, 400, 401, 403, 413, 415, 422, 429, 503, 507)
GRADES = _responses(_ANY, 401, 403, 422)
STATES = _responses(_ANY, 503)
RELEASES = _responses(_ANY)
METRICS = _responses(_TEXT, 401, 403, kind="text/plain")
ALGOLIA_ANSWERS = _responses(_ANY, 400, 413, 422, 429, 503)
