"""Speed and scale, and peers on the same data. Scripts, and what they share."""
