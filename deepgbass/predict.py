"""Segments images, folders, videos or a camera: overlays and label maps.

Examples:
  python -m deepgbass.predict --model=runs/demo --output_dir=out photo.jpg
  python -m deepgbass.predict --model=exports/camvid/model_int8.tflite \\
      --output_dir=out --view=side_by_side --boundaries photos/ drive.mp4
  python -m deepgbass.predict --model=exports/city/model_int8.tflite \\
      --output_dir=out --labels=dataset_ids leftImg8bit/val/
  python -m deepgbass.predict --model=model_int8_edgetpu.tflite \\
      --output_dir=out --camera=0

The model is a work directory or a .tflite file with its description; the
latter needs no TensorFlow, and runs on an Edge TPU if it is compiled for one.
Images may have any size, and results have the same. Folders are searched for
images, with all below them; their sub-folders come again in --output_dir.

Of NAME.jpg are made NAME_overlay.png (--view=side_by_side:
NAME_side_by_side.png) and with --labels NAME_labels.png, of NAME.mp4 a video
NAME_overlay.mp4 and a folder NAME_labels. A camera is recorded until Ctrl-C.

What cannot be read in folders is named at the end and stops nothing else; the
exit status is 1 then. Videos and cameras need pip install 'deepgbass[video]'.
"""

import collections
import itertools
import os
import pathlib
import time

from absl import app, flags

from deepgbass.commands import cli
from deepgbass.errors import UserError
from deepgbass.files import require_writable
from deepgbass.frames import check_header, find_images, load_image
from deepgbass.progress import track
from deepgbass.reports.visualize import save_png
from deepgbass.segmentation_results import LABELS, VIEWS, Results
from deepgbass.video import VideoSource, is_video, write_video


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "model",
        None,
        "A work directory that train.py made, or a .tflite file.",
        required=True,
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the results; made if absent.",
        required=True,
    )
    flags.DEFINE_enum(
        "view",
        "overlay",
        VIEWS,
        "The classes' colours over the image, or that beside the image.",
    )
    flags.DEFINE_bool("boundaries", False, "Draw the borders between classes.")
    flags.DEFINE_enum(
        "labels",
        None,
        LABELS,
        "Write label maps too, 8-bit PNGs: of the ids 0, 1, ... that the "
        "network learned, or of those in the data set's own label files.",
    )
    flags.DEFINE_integer(
        "camera", None, "Number of a camera, 0 for the first.", lower_bound=0
    )
    flags.DEFINE_integer(
        "max_frames",
        None,
        "Stop a video or camera after so many frames.",
        lower_bound=1,
    )
    cli.define_edgetpu_flags(__name__)
    flags.DEFINE_bool("overwrite", False, "Replace results that are there.")


def main(argv):
    values = flags.FLAGS
    words = argv[1:]
    if not words and values.camera is None:
        raise app.UsageError(
            "name the images, folders or videos to segment after the flags"
        )
    results = Results(
        values.output_dir, values.view, values.boundaries, values.labels
    )
    movies = [word for word in words if is_video(word)]
    images = find_images(
        [word for word in words if word not in movies], results.is_result
    )
    names = [pathlib.Path(movie).stem for movie in movies]
    if values.camera is not None:
        movies.append(values.camera)
        names.append(f"camera{values.camera}")
    _require_new(results, [image.name for image in images], names)
    for image in images:
        if image.listed:
            check_header(image.path)
    videos = [VideoSource(movie) for movie in movies]
    require_writable(values.output_dir)
    predict = _load(values.model)
    failures, began = [], time.monotonic()
    try:
        failures += _segment_images(images, results, predict)
        for name, video in zip(names, videos, strict=True):
            failures += _segment_video(name, video, results, predict)
    except (UserError, KeyboardInterrupt) as error:
        reason = str(error) or "interrupted"
        raise UserError(
            f"{reason} ({results.done} were segmented before, in "
            f"{results.folder})"
        ) from None
    speed = results.done / (time.monotonic() - began)
    print(f"{results.folder}: {results.done} segmented, {speed:.1f} img/s")
    if len(failures) > 1:
        print(*failures, sep="\n")
        raise UserError(f"{len(failures)} failed, as listed: {failures[0]} ...")
    if failures:
        raise UserError(failures[0])


def _require_new(results, images, videos):
    """Refuses results that are there, or would be written twice."""
    paths = [path for name in images for path in results.paths(name)]
    paths += [p for name in videos for p in results.paths(name, ".mp4")]
    counts = collections.Counter(paths)
    if twice := [path for path in paths if counts[path] > 1]:
        raise UserError(
            f"{len(set(twice))} results would be written twice, e.g. "
            f"{min(twice)}: rename images of the same name"
        )
    present = (path for path in paths if path.exists())
    if not flags.FLAGS.overwrite and (path := next(present, None)):
        raise UserError(f"{path} exists; --overwrite replaces it")


def _load(model):
    """The predictor of --model."""
    path = pathlib.Path(model)
    if path.suffix == ".tflite" and path.is_file():
        from deepgbass.ondevice.predictor import open_predictor

        return open_predictor(
            path,
            device=flags.FLAGS.device,
            library=flags.FLAGS.library,
            threads=os.cpu_count(),
        )
    if not path.is_dir():
        raise UserError(
            f"--model={path} is neither a .tflite file nor a work directory"
        )
    cli.import_tensorflow()
    from deepgbass.predictors import load_predictor

    return load_predictor(path)


def _segment_images(images, results, predict):
    """Segments images; returns what was wrong with some of them."""
    failures = []
    for image in track(images, "segmenting", len(images), "img"):
        try:
            pixels = load_image(image.path)
        except UserError as error:
            failures.append(str(error))
            continue
        label = predict(pixels)
        path, *label_paths = results.paths(image.name)
        save_png(path, results.picture(pixels, label, predict.info))
        for label_path in label_paths:
            results.save_labels(label_path, label, predict.info)
        results.done += 1
    return failures


def _segment_video(name, video, results, predict):
    """Segments a video or camera; returns what was wrong with it."""
    path, *folders = results.paths(name, ".mp4")
    for folder in folders:
        for old in folder.glob(f"{'[0-9]' * 6}.png"):
            old.unlink()
    most = flags.FLAGS.max_frames
    counts = [count for count in (video.count, most) if count]
    frames = itertools.islice(video, most)
    total = min(counts, default=None)
    try:
        with write_video(path, video.pace, video.is_camera) as write:
            for index, frame in enumerate(track(frames, name, total, "img")):
                label = predict(frame)
                write(results.picture(frame, label, predict.info))
                for folder in folders:
                    results.save_labels(
                        folder / f"{index:06}.png", label, predict.info
                    )
                results.done += 1
    except KeyboardInterrupt:
        if not video.is_camera:
            raise
    return [video.problem] if video.problem else []


def run():
    define_flags()
    cli.run(main, positional="images, folders or videos")


if __name__ == "__main__":
    run()
