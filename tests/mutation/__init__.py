"""Mutations of one line each, and the tests that have to see them."""
