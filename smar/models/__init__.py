"""Towers, fusions, the gate, and models on disk."""
