"""Synthetic queries: generators, one small file each, and an entry in `GENERATORS`."""
