"""Shows what SBAL sees in an image and what it punishes.

Examples:
  python -m deepgbass.inspect_loss --workdir=runs/demo --output_dir=sbal
  python -m deepgbass.inspect_loss --workdir=runs/camvid --images=3,17 \\
      --data_dir=data/camvid --class=pole --output_dir=sbal --tensorboard

For each image one PNG: image, truth, prediction, the predicted and the true
boundary magnitudes, their masks, and the weight of each pixel's
cross-entropy. The loss is that of the work directory's configuration; one
that was trained with cross-entropy is shown what SBAL would have said.
"""

import dataclasses
import pathlib

from absl import flags

from deepgbass.commands import cli
from deepgbass.errors import UserError


def image_numbers(words, count):
    """The numbers in `--images`.

    Raises:
        UserError: a word is no number of an image.
    """
    for word in words:
        if not (word.isdecimal() and int(word) < count):
            raise UserError(
                f"--images: {word!r} is not the number of an image of this"
                f" split, 0 to {count - 1}"
            )
    return [int(word) for word in words]


def class_id(name, info):
    """The id of the class in `--class`; None for None.

    Raises:
        UserError: there is no such class.
    """
    if name is None:
        return None
    if name not in info.class_names:
        raise UserError(
            f"--class={name} is not a class of {info.name}:"
            f" {', '.join(info.class_names)}"
        )
    return info.class_names.index(name)


def define_flags():
    """Not at import: this module is also a library."""
    flags.DEFINE_string(
        "workdir", None, "A work directory that train.py made.", required=True
    )
    flags.DEFINE_string(
        "data_dir", None, "Folder of TFRecords; the embedded set needs none."
    )
    flags.DEFINE_string(
        "split", None, "Split to look at. Default: the one for evaluation."
    )
    flags.DEFINE_list(
        "images", ["0", "1", "2"], "Numbers of the images in the split, from 0."
    )
    flags.DEFINE_string(
        "class", None, "Name of one class to look at. Default: all of them."
    )
    flags.DEFINE_bool(
        "noise",
        False,
        "Draw the Gumbel noise that training adds to the logits.",
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the PNGs; made if absent.",
        required=True,
    )
    flags.DEFINE_bool(
        "tensorboard",
        False,
        "Also write the pictures to the run's TensorBoard.",
    )


def main(argv):
    del argv
    cli.import_tensorflow()
    import tensorflow as tf

    from deepgbass.configs import load_config
    from deepgbass.experiment import make_loss, open_split, restore_model
    from deepgbass.files import atomic_path
    from deepgbass.letterbox import fit_label, letterbox
    from deepgbass.predictors import configured
    from deepgbass.progress import console, track
    from deepgbass.reports.loss_maps import (
        loss_figure,
        loss_maps,
        loss_pictures,
    )

    workdir = pathlib.Path(flags.FLAGS.workdir)
    config = load_config(workdir)
    split = flags.FLAGS.split or config.data.eval_split
    dataset = open_split(config, workdir, flags.FLAGS.data_dir, split)
    info = dataset.info
    numbers = image_numbers(flags.FLAGS.images, len(dataset))
    only = class_id(flags.FLAGS["class"].value, info)
    folder = pathlib.Path(flags.FLAGS.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    loss = make_loss(
        dataclasses.replace(config.loss, name="sbal", noise=flags.FLAGS.noise)
    )
    model, step = restore_model(workdir)
    predictor = configured(model, info, config)
    writer = (
        tf.summary.create_file_writer(str(workdir / "tensorboard"))
        if flags.FLAGS.tensorboard
        else tf.summary.create_noop_writer()
    )

    examples = zip(numbers, dataset.examples(numbers), strict=True)
    for number, example in track(examples, "inspecting", len(numbers)):
        padded, (height, width) = letterbox(
            example["image"], predictor.size, predictor.longer_side
        )
        label = fit_label(example["label"], predictor.size, (height, width))
        logits = predictor.logits(padded)
        maps = loss_maps(loss, label, logits[0], only)
        seen = slice(height), slice(width)
        full = tf.image.resize(logits, predictor.size)[0]
        pictures = loss_pictures(
            {name: values[seen] for name, values in maps.items()},
            padded[seen],
            label[seen],
            tf.argmax(full, -1).numpy()[seen],
            info.colors,
            peak=0.18 / loss.normalizer,
        )
        value = float(loss(label[None], logits))
        title = (
            f"{example['filename'] or number}: SBAL {value:.3f} at step {step},"
            f" {flags.FLAGS['class'].value or 'all classes'}"
        )
        with atomic_path(folder / f"{split}_{number:05d}_sbal.png") as path:
            loss_figure(pictures, title).savefig(path, format="png")
        with writer.as_default(step):
            for name, picture in pictures.items():
                tf.summary.image(
                    f"sbal_{number}/{name.partition(':')[0]}", picture[None]
                )
    writer.flush()
    console.print(f"{len(numbers)} pictures in {folder}")


def run():
    define_flags()
    cli.run(main)


if __name__ == "__main__":
    run()
