"""What all scripts in datasets/ share: their flags and their `main`.

The flags are defined when a script runs, not when it is imported.
"""

import sys
from collections.abc import Callable

from absl import flags

from deepgbass.commands import cli


def run(open_source: Callable) -> None:
    """Runs a script of datasets/: opens the source, converts, says what came.

    The flags of this module appear in the script's help beside its own.

    Args:
        open_source: Function of --source that gives a `source.Source`. It
            imports what it needs, so that mistyped flags are reported at
            once.
    """

    _define_flags()

    def main(_):
        cli.import_tensorflow()
        from deepgbass.data.conversion import convert

        values = flags.FLAGS
        info = convert(
            open_source(values.source),
            values.data_dir,
            num_shards=values.shards,
            overwrite=values.overwrite,
            workers=values.workers,
        )
        protocol = f", protocol {info.protocol}" if info.protocol else ""
        print(
            f"{values.data_dir}: {info.num_classes} classes{protocol}, "
            f"{info.splits}"
        )

    # cli.run shows the docstring and the flags of the module of `main`.
    main.__module__ = open_source.__module__
    for flag in flags.FLAGS.get_key_flags_for_module(__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    cli.run(main)


def _define_flags():
    flags.DEFINE_string(
        "source",
        None,
        "The data set as it was published (datasets/README.md).",
        required=True,
    )
    flags.DEFINE_string(
        "data_dir", None, "Folder for the TFRecords.", required=True
    )
    flags.DEFINE_integer(
        "shards",
        None,
        "Files a split. Default: as many as keep them below about 128 MiB and "
        "1000 images, and at least 4.",
        lower_bound=1,
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Replace another data set in --data_dir, once the new one is complete.",
    )
    flags.DEFINE_integer(
        "workers",
        None,
        "Images to read and check at a time. Default: one a core.",
        lower_bound=1,
    )
