"""What is released, and how a release comes to be current."""
