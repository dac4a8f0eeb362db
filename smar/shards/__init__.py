"""Work over shards, done here or by many machines, with one result."""
