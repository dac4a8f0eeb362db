"""What /openapi.json says of answers and problems."""

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 0}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_OF_SEARCH = ("rank", "score", "relevance", "others", "why")
_PLACE: Schema = {
    "type": ["object", "null"],
    "properties": {"rank": {"type": "integer"}, "score": {"type": "number"}},
}
HIT: Schema = {
    "type": "object",
    "description": "All fields of the item, and these.",
    "properties": {
        "rank": {"type": "integer"},
        "score": {"type": "number"},
        "relevance": {"type": ["number", "null"]},
        "item_id": _TEXT,
        "title": _TEXT,
        "price": {"type": ["number", "null"]},
        "currency": _TEXT,
        "link": _TEXT,
        "pictures": {"type": "array", "items": _TEXT, "description": "Addresses; take ?w=."},
        "others": {"type": "integer", "description": "Items collapsed behind this one."},
        "why": {
            "type": "object",
            "properties": {
                **{part: {"type": "number"} for part in ("text", "picture", "words")},
                "by_vectors": _PLACE,
                "by_words": _PLACE,
                "matched": {"type": "array", "items": _TEXT},
                "pictured": {
                    "type": "array",
                    "items": _TEXT,
                    "description": "Words that its text leaves out and its pictures tell.",
                },
                "searched": {
                    "type": "array",
                    "items": _TEXT,
                    "description": "Words that its text leaves out and searches for it used.",
                },
                "excluded": {
                    "type": "array",
                    "items": _TEXT,
                    "description": "Words that speak against it: its own words exclude them.",
                },
            },
        },
    },
    "required": ["rank", "score", "item_id", "title", "pictures"],
}
ITEM: Schema = {
    "type": "object",
    "description": "All fields of the item.",
    "properties": {
        **{name: of for name, of in HIT["properties"].items() if name not in _OF_SEARCH},
        "release": _TEXT,
    },
    "required": ["item_id", "title", "pictures", "release"],
}
ANSWER: Schema = {
    "type": "object",
    "properties": {
        "query_id": _TEXT | {"description": "What events of this search name."},
        "query": _TEXT,
        "corrected": _TEXT | {"description": "What was searched instead; empty: the query."},
        "left_out": {
            "type": "array",
            "items": _TEXT,
            "description": "What no hit has, as the query says that it is not wanted.",
        },
        "weak": {
            "type": "boolean",
            "description": "No item, on whatever page, is more likely relevant than not.",
        },
        "release": _TEXT,
        "total": _WHOLE,
        "offset": _WHOLE,
        "limit": _WHOLE,
        "gate": _SHARE | {"description": "How much the picture counts beside the text."},
        "shares": {
            "type": "object",
            "properties": dict.fromkeys(("text", "picture", "words"), _SHARE),
        },
        "hits": {"type": "array", "items": HIT},
        "facets": {"type": "object", "additionalProperties": {"type": "object"}},
        "milliseconds": {"type": "object", "additionalProperties": {"type": "number"}},
        "reasons": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What each word of the query does to its shares; where it is explained.",
        },
    },
    "required": ["query_id", "query", "release", "total", "hits"],
}
SIMILAR: Schema = {
    "type": "object",
    "properties": {
        "item": HIT,
        "release": _TEXT,
        "hits": {"type": "array", "items": HIT},
    },
    "required": ["item", "release", "hits"],
}
SUGGESTED: Schema = {
    "type": "object",
    "properties": {
        "query": _TEXT,
        "suggestions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "text": _TEXT,
                    "kind": _TEXT | {"description": "query, brand, category or both of these."},
                    "count": _WHOLE,
                    "mended": {"type": "boolean", "description": "Whether a slip was mended."},
                },
                "required": ["text", "kind", "count", "mended"],
            },
        },
    },
    "required": ["query", "suggestions"],
}
PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457; all problems at once.",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "problems": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": _TEXT, "detail": _TEXT}},
        },
    },
    "required": ["type", "title", "status", "detail"],
    "example": {
        "type": "about:blank",
        "title": "The request asks for what cannot be",
        "status": 422,
        "detail": "Nothing was done; mend what is listed under problems.",
        "problems": [
            {"field": "limit", "detail": "50000, expected a whole number from 0 to 10,000"}
        ],
    },
}
