"""What a shop of another size will cost, from what was measured."""
