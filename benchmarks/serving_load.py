"""Shoppers for `benchmarks.serving`, in a process of their own that imports nothing heavy.

python -m benchmarks.serving_load PORT QUERIES.json CONNECTIONS SECONDS
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

_HITS = 10


async def load(port: int, texts: list[str], connections: int, seconds: float) -> dict[str, Any]:
    spent: list[float] = []
    codes: dict[str, int] = {}
    releases: dict[str, int] = {}
    until = time.perf_counter() + seconds

    async def shopper(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            text = texts[number % len(texts)]
            number += connections
            start = time.perf_counter()
            path = f"/search?q={quote(text)}&limit={_HITS}&client_id=c{number % 97}"
            writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
            spent.append(time.perf_counter() - start)
            code = head[9:12].decode()
            codes[code] = codes.get(code, 0) + 1
            if code == "200":
                release = body.partition(b'"release":"')[2].partition(b'"')[0].decode()
                releases[release] = releases.get(release, 0) + 1
        writer.close()

    await asyncio.gather(*(shopper(number) for number in range(connections)))
    ordered = sorted(spent)
    return {
        "answered": codes.get("200", 0),
        "per_s": len(spent) / seconds,
        "p50_ms": 1e3 * ordered[len(ordered) // 2],
        "p99_ms": 1e3 * ordered[int(0.99 * len(ordered))],
        "errors": sum(number for code, number in codes.items() if code != "200"),
        "codes": codes,
        "releases": releases,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("queries", type=Path)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    texts = json.loads(options.queries.read_text())
    found = asyncio.run(load(options.port, texts, options.connections, options.seconds))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
