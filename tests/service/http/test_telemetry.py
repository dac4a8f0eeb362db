"""Where somebody listens, a search is a span as every other request is."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.whole

_SEARCHES = """
import json, sys
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient
from smar.service.http.app import build_app
from smar.service.http.service import Service
from smar.service.http.settings import Settings
seen = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(seen))
trace.set_tracer_provider(provider)
service = Service(Path(sys.argv[1]), Settings(log_free_mb=0.0, encoder="torch"))
client = TestClient(build_app(service), "http://127.0.0.1")
for path in ("/search?q=lamp", "/search?q=lamp&limit=-1", "/suggest?q=la"):
    client.get(path)
service.close()
spans = [span for span in seen.get_finished_spans() if span.kind.name == "SERVER"]
print(json.dumps([[span.name, dict(span.attributes)] for span in spans]))
"""


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """Yield the address of a collector of spans that speaks OTLP, and what it was sent."""
    taken: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/traces":
                taken.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", taken
    server.shutdown()
    server.server_close()


def test_searches_are_spans_with_their_route(small_project: Path):
    command = [sys.executable, "-W", "ignore", "-c", _SEARCHES, str(small_project)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    spans = json.loads(result.stdout.splitlines()[-1])
    routes = [(name, says["http.route"], says["http.response.status_code"]) for name, says in spans]
    assert routes == [
        ("GET /search", "/search", 200),
        ("GET /search", "/search", 422),
        ("GET /suggest", "/suggest", 200),
    ]


def test_service_sends_its_spans_to_the_collector_that_the_environment_names(
    small_project: Path, collector: tuple[str, list[ExportTraceServiceRequest]]
):
    address, taken = collector
    (small_project / "serve.yaml").write_text(json.dumps({"port": 0, "log_free_mb": 0}))
    process = subprocess.Popen(
        [sys.executable, "-m", "smar", "serve", "--root", str(small_project)],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SERVICE_NAME": "shop"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        home = process.stdout.readline().split()[0]
        assert httpx.get(f"{home}/search?q=lamp", timeout=60).status_code == 200
        process.terminate()  # what was not sent yet goes out before the end
        process.wait(60)
    sent = [resource for request in taken for resource in request.resource_spans]
    names = [span.name for each in sent for scope in each.scope_spans for span in scope.spans]
    assert "GET /search" in names
    assert "shop" in {a.value.string_value for each in sent for a in each.resource.attributes}
