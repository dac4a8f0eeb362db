"""Tiny checkpoints in transformers' own layout, to set others beside."""

from tests.models.backbones.conftest import zoo

__all__ = ["zoo"]
