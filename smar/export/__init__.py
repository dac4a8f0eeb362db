"""What a release is for other engines: vectors, words, the query tower, and a test of them."""
