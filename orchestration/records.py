"""What stages and releases left as JSON."""

import json
from pathlib import Path
from typing import Any


def read_record(file: Path) -> dict[str, Any]:
    """Return the content of a record, {} where there is none."""
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
