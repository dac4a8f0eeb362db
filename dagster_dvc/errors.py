"""The errors of the bridge. A message names the file and the next command."""

from collections.abc import Sequence


class DvcBridgeError(Exception):
    """Base of every error that a user of the bridge can mend."""


class ManifestError(DvcBridgeError, ValueError):
    """dvc.yaml, dvc.lock, params.yaml or a .dvc file is missing or broken."""


class DuplicateError(DvcBridgeError, ValueError):
    """Two things of the repository claim one name in Dagster, or one path."""


def list_problems(headline: str, problems: Sequence[str]) -> str:
    """Return one message with every problem below a headline."""
    return "\n".join([headline, *(f"  - {problem}" for problem in problems)])
