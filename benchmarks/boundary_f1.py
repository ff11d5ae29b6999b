"""Speed of the boundary counts behind mBF, beside a disk for every class.

python benchmarks/boundary_f1.py [--camvid=../shared/data/camvid]

Measures images a second of one core (CPU time, so that other work on the
machine disturbs little) at 1024x2048 with 19 classes and at 512x512 with 32:
`boundary_counts` with the default tolerance and with the three that are
reported, and the usual way: every class's boundary dilated by a disk. At the
disk's tolerance, in whole pixels, both must count the same.

Labels are CamVid's, enlarged by nearest neighbour; without that folder, blobs
made here. Predictions are labels moved by a few pixels, with blobs of wrong
classes. The disks take minutes; --disks=False leaves them out.
"""

import math
import pathlib
import time

import numpy as np
from absl import app, flags
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion, zoom

from deepgbass.metrics.boundary_counts import boundary_counts
from deepgbass.metrics.boundary_rule import DEFAULT, DEFAULTS, Tolerance

_CAMVID = flags.DEFINE_string(
    "camvid",
    str(pathlib.Path(__file__).parents[2] / "shared/data/camvid"),
    "Folder with labels/val/*.png; synthetic labels if absent.",
)
_DISKS = flags.DEFINE_bool("disks", True, "Measure the usual way as well.")
_REPEATS = flags.DEFINE_integer(
    "repeats", 3, "Take the best of so many.", lower_bound=1
)

# Height, width, classes, and the share of a CamVid frame that is enlarged: so
# that there are about as many boundary pixels as in real data of this size.
CASES = ((1024, 2048, 19, 1.0), (512, 512, 32, 0.3))
IMAGES = 4
CAMVID_VOID = 11


def main(_):
    for height, width, classes, share in CASES:
        pairs = make_pairs((height, width), classes, share)
        maps = [boundary_counts(*p, classes, [DEFAULT])[0] for p in pairs]
        points = np.mean([counts[:, :2].sum() / 2 for counts in maps])
        present = np.mean([(counts[:, 1] > 0).sum() for counts in maps])
        print(
            f"\n{height}x{width}, {classes} classes ({present:.0f} present), "
            f"{points:.0f} boundary pixels a map"
        )
        report("boundary_counts, 0.75 % diag", pairs, classes, [DEFAULT])
        report("boundary_counts, 0.75 % diag, 3 px, 1 px", pairs, classes)
        if _DISKS.value:
            compare_with_disks(pairs[0], classes)


def report(name, pairs, classes, tolerances=DEFAULTS):
    """Prints and returns CPU seconds an image."""
    seconds = np.mean(
        [
            best_time(lambda p=p: boundary_counts(*p, classes, tolerances))
            for p in pairs
        ]
    )
    print(f"  {name:42} {1e3 * seconds:9.1f} ms {1 / seconds:8.2f} img/s")
    return seconds


def compare_with_disks(pair, classes):
    """The default tolerance in whole pixels, both ways, on one image."""
    radius = math.ceil(DEFAULT.pixels(pair[0].shape))
    tolerances = [Tolerance(radius, "px")]
    ours = report(f"boundary_counts, {radius} px", [pair], classes, tolerances)
    began = time.process_time()
    expected = disk_counts(*pair, classes, radius)
    disks = time.process_time() - began
    print(
        f"  {f'a disk for every class, {radius} px':42} {1e3 * disks:9.1f} ms "
        f"{1 / disks:8.3f} img/s"
    )
    counts = boundary_counts(*pair, classes, tolerances)[0]
    np.testing.assert_array_equal(counts, expected)
    print(f"  equal counts, {disks / ours:.0f} times as fast")


def disk_counts(label, prediction, classes, radius):
    """What `boundary_counts` counts, in the usual way."""
    steps = np.arange(-radius, radius + 1)
    disk = steps[:, None] ** 2 + steps**2 <= radius**2
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    counts = np.zeros((classes, 4), np.int64)
    for index in range(classes):
        masks = [(m == index) & (label != 255) for m in (prediction, label)]
        edges = [mask & ~binary_erosion(mask, cross) for mask in masks]
        near = [binary_dilation(edge, disk) for edge in edges]
        found, true = edges
        counts[index] = [
            found.sum(),
            true.sum(),
            (found & near[1]).sum(),
            (true & near[0]).sum(),
        ]
    return counts


def make_pairs(shape, classes, share):
    """Labels and predictions, int32 `shape`; ignored pixels are 255."""
    rng = np.random.default_rng(0)
    folder = pathlib.Path(_CAMVID.value) / "labels/val"
    files = sorted(folder.glob("*.png"))[:: 100 // IMAGES][:IMAGES]
    if files:
        labels = [np.asarray(Image.open(file)) for file in files]
    else:
        print(f"no labels in {folder}: synthetic ones instead")
        labels = [synthetic(rng) for _ in range(IMAGES)]
    return [make_pair(label, shape, classes, share, rng) for label in labels]


def make_pair(label, shape, classes, share, rng):
    """Enlarges a part of a label map and makes a prediction of it."""
    rows, columns = (
        ((np.arange(n) / n * share + (1 - share) * place) * m).astype(int)
        for n, m, place in zip(shape, label.shape, (0.75, 0.5), strict=True)
    )
    label = label[np.ix_(rows, columns)].astype(np.int32)
    void = label == CAMVID_VOID
    if classes == 19:
        # To have all classes present, as in Cityscapes.
        right = label[:, shape[1] // 2 :]
        right[right < 8] += 11
    label[void] = 255
    moved = np.roll(label, (2, 3), (0, 1))
    prediction = np.where(moved == 255, label, moved)
    prediction[prediction == 255] = 0
    height, width = shape
    for _ in range(15):
        y, x = rng.integers(height), rng.integers(width)
        wrong = rng.choice(np.unique(prediction))
        prediction[y : y + height // 30, x : x + width // 40] = wrong
    return label, prediction


def synthetic(rng):
    """Regions of 11 classes in CamVid's size, with ragged outlines."""
    fields = [
        zoom(rng.random((6, 8)), 60, order=1)
        + 0.02 * zoom(rng.random((120, 160)), 3, order=1)
        for _ in range(11)
    ]
    return np.argmax(fields, axis=0)


def best_time(function):
    times = []
    for _ in range(_REPEATS.value):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    app.run(main)
