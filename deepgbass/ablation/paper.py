"""What the paper's Tables I to III print for the rows of the ladder, in %."""

# Data set -> row -> (mIoU, mBF). The first row is the baseline of the gains.
# Table I; of DLv3D-64 and DGD-64 Table II, whose DGD-256 is Table I's +DGD.
# Tables I and III have 256 channels in DGD.
VALUES = {
    "Cityscapes": {
        "MNEdge DeepLab": (74.83, 73.70),
        "+DGD": (76.28, 75.54),
        "+SBL": (76.23, 77.50),
        "+DGD+SBL": (76.96, 79.11),
        "+DGD+SBL+SBL-WCE": (77.13, 80.71),
        "DLv3D-64": (75.50, 74.31),
        "DGD-64": (76.32, 75.37),
    },
    "ADE20K-32": {
        "MNEdge DeepLab": (53.64, 31.52),
        "+DGD": (55.14, 35.00),
        "+SBL": (57.04, 37.62),
        "+DGD+SBL": (59.23, 43.64),
        "+DGD+SBL+SBL-WCE": (59.6, 43.94),
    },
}


def gain(value, base):
    """Relative gain in %; None where either is missing or the base is 0."""
    if value is None or not base:
        return None
    return 100 * (value / base - 1)


def of_row(name):
    """What the paper has for a row.

    Returns:
        dict of data set -> `miou` and `mbf` (%), `miou_gain` and `mbf_gain`
        (% relative to the first row, computed from the printed values; None
        for that row). Empty for rows that the paper does not have.
    """
    found = {}
    for data, rows in VALUES.items():
        if name not in rows:
            continue
        first = next(iter(rows))
        entry = dict(zip(("miou", "mbf"), rows[name], strict=True))
        for metric, base in zip(("miou", "mbf"), rows[first], strict=True):
            entry[f"{metric}_gain"] = (
                None if name == first else gain(entry[metric], base)
            )
        found[data] = entry
    return found
