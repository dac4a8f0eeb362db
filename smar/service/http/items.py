"""Routes that show items and pictures."""

import asyncio
import logging
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from smar.errors import ArtifactError, DataError
from smar.service.http import openapi
from smar.service.http.problems import HttpError
from smar.service.http.reading import json_response
from smar.service.http.searching import hit_json, service_of
from smar.service.pictures import FORMATS, LARGEST, Pictures

logger = logging.getLogger(__name__)

router = APIRouter()
# The address of a picture holds its content's hash: what is there never changes.
_FOREVER = "public, max-age=31536000, immutable"
_CACHED = 4096  # encoded pictures, of a few kilobytes each


@router.get("/items/{item_id:path}", responses=openapi.ITEMS)
async def item(request: Request, item_id: str) -> Response:
    """All that the release knows of an item."""
    retriever = service_of(request).live.current
    if retriever.items.row(item_id) < 0:
        raise HttpError(404, f"There is no item '{item_id[:80]}' in the release.")
    content = hit_json(retriever.item(item_id))
    for name in ("rank", "score", "relevance", "others"):  # of a search, and there was none
        content.pop(name, None)
    return json_response(content | {"release": retriever.release})


@router.get("/pictures/{sha}", response_class=Response, responses=openapi.PICTURES)
async def picture(
    request: Request,
    sha: str,
    w: Annotated[
        int, Query(ge=0, le=LARGEST, description="Pixels of the longer side; 0 for its own.")
    ] = 0,
    form: Annotated[str, Query(description="jpeg, webp or png.")] = "jpeg",
) -> Response:
    """A picture by the hash of its file, as the model sees it."""
    service = service_of(request)
    pictures = service.live.current.pictures
    if sha not in pictures:
        raise HttpError(404, f"There is no picture '{sha[:80]}'.")
    tag = f'"{sha}-{w}-{form}"'
    headers = {"cache-control": _FOREVER, "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    loop = asyncio.get_running_loop()
    try:
        content = await loop.run_in_executor(service.pool, _encoded, pictures, sha, w, form)
    except DataError as error:
        raise HttpError(422, str(error)) from error
    except ArtifactError as error:  # its shard is in a store that does not give it
        logger.warning("picture %s: %s", sha, error)
        raise HttpError(503, "The picture cannot be had at the moment.") from error
    return Response(content, headers=headers, media_type=FORMATS[form])


@lru_cache(_CACHED)
def _encoded(pictures: Pictures, sha: str, size: int, form: str) -> bytes:
    return pictures.encoded(sha, size, form)
