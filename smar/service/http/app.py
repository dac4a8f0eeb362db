"""The service as an ASGI application."""

import asyncio
import importlib.metadata
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from opentelemetry import trace
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from smar.service.http import algolia_route, health, items, nearby, searching, writing
from smar.service.http.guards import AccessLog, Guard
from smar.service.http.heads import Heads
from smar.service.http.problems import add_handlers
from smar.service.http.service import Service
from smar.service.http.straight import Straight

_STATIC = Path(__file__).parent / "static"
_COLLECTOR = "OTEL_EXPORTER_OTLP_"
_ROUTERS = (searching, nearby, items, algolia_route, writing, health)


def build_app(service: Service) -> ASGIApp:
    """Return the application of a service; it closes the service when it stops."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(_watch(service))
        yield
        watching.cancel()
        service.close()

    app = FastAPI(
        title="smar",
        version=importlib.metadata.version("smar"),
        description="Search over items that have text and pictures.",
        docs_url=None,  # its page loads from other hosts
        redoc_url=None,
        lifespan=life,
        telemetry={"auto_configure": _has_collector()},
    )
    app.state.service = service
    for module in _ROUTERS:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_api_route("/", _page, include_in_schema=False)
    add_handlers(app)
    return _guarded(app if _is_traced() else Straight(app, service), service)


def _has_collector() -> bool:
    """Return whether OpenTelemetry's own variables say where spans go; without, nothing is sent."""
    return any(name.startswith(_COLLECTOR) and name.endswith("ENDPOINT") for name in os.environ)


def _is_traced() -> bool:
    """Return whether somebody listens to spans, metrics or logs, or will from the beginning on."""
    if _has_collector() or "opentelemetry.sdk" in sys.modules:
        return True
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


async def _watch(service: Service) -> None:
    """Keep the gauges fresh that other processes read."""
    while True:
        service.metrics.refresh()
        await asyncio.sleep(1)


def _guarded(app: ASGIApp, service: Service) -> ASGIApp:
    """Return an application behind what stands before its routes, the outermost last."""
    settings = service.settings
    app = Guard(
        Heads(app),
        hosts=settings.allowed_hosts,
        max_body=settings.max_body_kb * 1024,
        body_s=settings.body_s,
        per_s=settings.per_client_s,
        burst=settings.per_client_burst,
    )
    if settings.origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            max_age=3600,
        )
    return AccessLog(
        app,
        service.metrics,
        is_logged=settings.access_log,
        with_text=settings.access_log_text,
    )


async def _page() -> FileResponse:
    return FileResponse(_STATIC / "index.html", headers={"cache-control": "no-cache"})
