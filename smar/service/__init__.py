"""Search for people and programs."""
