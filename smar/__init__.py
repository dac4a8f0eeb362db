"""smar: text search over items that have text and pictures."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Retriever", "__version__"]


def __getattr__(name: str) -> Any:
    """Return `Retriever` on first use: importing it takes seconds, importing smar must not."""
    if name == "Retriever":
        from smar.service.retriever import Retriever

        return Retriever
    raise AttributeError(f"module 'smar' has no attribute '{name}'")
