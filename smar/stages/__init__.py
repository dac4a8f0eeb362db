"""Stages: one module each, files in and files out."""
