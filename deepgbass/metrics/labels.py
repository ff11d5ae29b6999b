"""What people call the metrics, in tables."""

# By their keys in what `deepgbass.evaluate` gives; all are shares of 1.
# Where room is short and no other tolerance beside it, "mBF" alone is the
# paper's, at 0.75 %.
METRIC_LABELS = {
    "miou": "mIoU",
    "mbf": "mBF 0.75 %",
    "mbf_3px": "mBF 3 px",
    "mbf_1px": "mBF 1 px",
    "pixel_accuracy": "accuracy",
}
