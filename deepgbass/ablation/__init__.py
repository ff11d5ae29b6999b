"""Tables of trainings side by side, as Tables I to III of the paper."""
