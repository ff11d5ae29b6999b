"""Times the stages of an inference, and what the times say.

Several models take turns within each round, so that a machine that warms up
or does something else slows all of them alike; their ratio is taken round by
round.
"""

import time

import numpy as np

from deepgbass.ondevice.predictor import to_labels

PHASES = ("input", "invoke", "output", "post-processing")
PERCENTILES = (50, 90, 99)


def time_once(model, image):
    """Runs a model once.

    Args:
        model: `OnDeviceModel`.
        image: uint8 `(*size, 3)`.

    Returns:
        Seconds of each of `PHASES`: the image into the input, the network,
        the copy of the output, and the label map at the input's size.
    """
    began = time.perf_counter()
    model.set_input(image)
    filled = time.perf_counter()
    model.invoke()
    done = time.perf_counter()
    output = model.get_output()
    copied = time.perf_counter()
    to_labels(model, output, model.size, model.size)
    ended = time.perf_counter()
    return filled - began, done - filled, copied - done, ended - copied


def take_turns(models, images, rounds):
    """Yields the times of each round.

    Args:
        models: list of `OnDeviceModel`.
        images: for each, the uint8 image `(*size, 3)`.
        rounds: how many.

    Yields:
        For each model, the seconds of each of `PHASES`. Another model begins
        every round.
    """
    count = len(models)
    for turn in range(rounds):
        times = [None] * count
        for i in range(turn, turn + count):
            times[i % count] = time_once(models[i % count], images[i % count])
        yield times


def summarize(seconds):
    """What many runs say.

    Args:
        seconds: array of any length above 0.

    Returns:
        dict of milliseconds: mean, std (of the runs, not of the mean), p50,
        p90, p99, min, max.
    """
    times = 1e3 * np.asarray(seconds, np.float64)
    summary = {"mean": times.mean(), "std": times.std()}
    for percent in PERCENTILES:
        summary[f"p{percent}"] = np.percentile(times, percent)
    summary |= {"min": times.min(), "max": times.max()}
    return {name: float(value) for name, value in summary.items()}


def summarize_phases(times):
    """Phase -> `summarize`, and "total" for their sums.

    Args:
        times: seconds `(runs, phases)`.
    """
    times = np.asarray(times)
    phases = zip(PHASES, times.T, strict=True)
    return {
        **{phase: summarize(column) for phase, column in phases},
        "total": summarize(times.sum(axis=1)),
    }


def ratio(times, base):
    """How many times as long one model takes as another.

    Args:
        times, base: seconds of each round, at the same positions.

    Returns:
        dict: the median of the rounds' ratios, and their 10th and 90th
        percentile as their spread.
    """
    ratios = np.asarray(times) / np.asarray(base)
    names = {"p10": 10, "median": 50, "p90": 90}
    return {
        name: float(np.percentile(ratios, percent))
        for name, percent in names.items()
    }
