"""Item embeddings, and the index of vectors and words that queries are answered from."""
