"""What changed in the shop since the current release was made."""
