"""Synthetic queries, made of the words of the items."""
