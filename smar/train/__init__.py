"""Training: steps, the loop, checkpoints."""
