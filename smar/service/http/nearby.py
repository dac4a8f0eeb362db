"""What is near: items like one, ways to go on typing."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from smar.service.http import openapi
from smar.service.http.problems import HttpError
from smar.service.http.reading import json_response, no_others
from smar.service.http.searching import hit_json, service_of

router = APIRouter(dependencies=[Depends(no_others)])
_LONGEST_PREFIX = 200


@router.get("/similar/{item_id:path}", responses=openapi.SIMILAR)
async def similar(
    request: Request,
    item_id: str,
    limit: Annotated[int, Query(ge=1, le=100, description="Items to return.")] = 10,
) -> Response:
    """Items that look and read like one."""
    service = service_of(request)
    retriever = service.live.current
    if retriever.items.row(item_id) < 0:
        raise HttpError(404, f"There is no item '{item_id[:80]}' in the release.")
    loop = asyncio.get_running_loop()
    hits = await loop.run_in_executor(service.pool, retriever.similar, item_id, limit)
    content = {
        "item": hit_json(retriever.item(item_id)),
        "release": retriever.release,
        "hits": [hit_json(hit) for hit in hits],
    }
    return json_response(content)


@router.get("/suggest", responses=openapi.SUGGESTIONS)
async def suggest(
    request: Request,
    q: Annotated[
        str,
        Query(max_length=_LONGEST_PREFIX, description="What was typed so far.", examples=["tea"]),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=50, description="Suggestions to return.")] = 8,
) -> Response:
    """Ways to go on from what was typed, misspellings mended."""
    retriever = service_of(request).live.current
    found = retriever.suggest(q, limit)
    return json_response({"query": q, "suggestions": [each.as_dict() for each in found]})
