"""What a shop has (feed, log, judgements, pictures), read into typed tables."""
