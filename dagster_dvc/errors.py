"""The errors of the bridge. A message names the file and the next command."""

from collections.abc import Sequence


class DvcBridgeError(Exception):
    """Base of every error that a user of the bridge can mend."""


class ManifestError(DvcBridgeError, ValueError):
    """dvc.yaml, dvc.lock, params.yaml or a .dvc file is missing or broken."""


class DuplicateError(DvcBridgeError, ValueError):
    """Two things of the repository claim one name in Dagster, or one path."""


class SettingsError(DvcBridgeError, ValueError):
    """An attribute of the component or a setting means nothing."""


class PlatformError(DvcBridgeError, ImportError):
    """The bridge does not run here."""


def refuse_windows(platform: str) -> None:
    """Refuse platforms on which a stage cannot be stopped with everything it started.

    Args:
        platform: As `sys.platform`.

    Raises:
        PlatformError: On Windows.
    """
    if platform == "win32":
        raise PlatformError(
            "dagster-dvc does not run on Windows: a cancelled stage is ended with all of its "
            "processes through POSIX process groups and signals, which Windows lacks, and would "
            "otherwise keep DVC's lock. Run Dagster in WSL, where it works as on Linux."
        )


def list_problems(headline: str, problems: Sequence[str]) -> str:
    """Return one message with every problem below a headline."""
    return "\n".join([headline, *(f"  - {problem}" for problem in problems)])
