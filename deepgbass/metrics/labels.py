"""What people call the metrics, in the tables of every page and command."""

# By their keys in what `deepgbass.evaluate` gives; all are shares of 1.
METRIC_LABELS = {
    "miou": "mIoU",
    "mbf": "mBF 0.75 %",
    "mbf_3px": "mBF 3 px",
    "mbf_1px": "mBF 1 px",
    "pixel_accuracy": "accuracy",
}
