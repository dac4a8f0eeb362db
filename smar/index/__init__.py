"""Item embeddings and the vector index."""
