"""Instances: the pipeline, its checks, jobs, schedules and sensors."""
