"""Tiny checkpoints for every test of models."""

from tests.models.backbones.conftest import zoo

__all__ = ["zoo"]
