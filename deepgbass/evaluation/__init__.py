"""Evaluation: any predictor on any data set, stored and compared."""
