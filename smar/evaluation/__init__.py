"""Metrics, comparisons, baselines and reports."""
