"""Dagster over the project: assets derived from dvc.yaml, checks, jobs, schedules and sensors."""
