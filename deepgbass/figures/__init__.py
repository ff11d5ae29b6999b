"""Pictures for the README, of a table of trainings."""
