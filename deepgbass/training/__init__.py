"""Training: the loop, its step, its checkpoints, on one device or many."""
