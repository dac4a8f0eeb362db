"""Tiny checkpoints, as the tests of backbones make them."""

from tests.models.backbones.conftest import zoo

__all__ = ["zoo"]
