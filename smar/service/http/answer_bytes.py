"""Answers as the bytes of their JSON; the items of hits are bytes already."""

from collections.abc import Sequence

import orjson

from smar.service.answer import Answer
from smar.service.hits import Hit, Page
from smar.service.kept_items import PICTURES


def answer_bytes(answer: Answer, waited_ms: float) -> bytes:
    """Return an answer as JSON, equal to `Answer.as_dict`; pictures are addresses.

    Args:
        answer: The answer.
        waited_ms: How long the client waited for it, told among the milliseconds.
    """
    head = {
        "query_id": answer.query_id,
        "query": answer.query,
        "corrected": answer.corrected,
        "left_out": list(answer.left_out),
        "weak": answer.is_weak,
        "release": answer.release,
        "total": answer.total,
        "offset": answer.offset,
        "limit": answer.limit,
        "gate": answer.gate,
        "shares": answer.shares.as_dict(),
    }
    tail = {
        "facets": {name: facet.as_dict() for name, facet in answer.facets.items()},
        "milliseconds": answer.milliseconds | {"served": round(waited_ms, 3)},
        **({"reasons": [one.as_dict() for one in answer.reasons]} if answer.reasons else {}),
    }
    parts = [orjson.dumps(head)[:-1], b',"hits":[', *_hits(answer.hits), b"],"]
    return b"".join([*parts, orjson.dumps(tail)[1:]])


def _hits(hits: Sequence[Hit]) -> list[bytes | memoryview]:
    """Return the parts of hits, to be put one after the other."""
    if not isinstance(hits, Page):
        return [b",".join([orjson.dumps(hit.as_dict(PICTURES)) for hit in hits])]
    ranks = range(hits.offset + 1, hits.offset + 1 + len(hits))
    numbers = [
        {"rank": rank, "score": score, "relevance": relevance}
        for rank, score, relevance in zip(ranks, hits.scores, hits.relevance, strict=True)
    ]
    heads = orjson.dumps(numbers)[2:-2].split(b"},{")  # all at once: one by one takes as long again
    if hits.others:
        ends = [b',"others":%d}' % hits.others.get(row, 0) for row in hits.rows.tolist()]
    else:
        ends = [b',"others":0}'] * len(hits)
    parts: list[bytes | memoryview] = []
    for head, piece, end in zip(heads, hits.items.pieces(hits.rows), ends, strict=bool(ends)):
        parts += (b",{" if parts else b"{", head, b",", piece, end)
    return parts
