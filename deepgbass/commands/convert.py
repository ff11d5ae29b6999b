"""What all scripts in datasets/ share: their flags and their `main`."""

import sys
from collections.abc import Callable

from absl import flags

from deepgbass.commands import cli

_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "The data set as it was published (datasets/README.md).",
    required=True,
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder for the TFRecords.", required=True
)
_SHARDS = flags.DEFINE_integer(
    "shards",
    None,
    "Files a split. Default: as many as keep them below about 128 MiB and "
    "1000 images, and at least 4.",
    lower_bound=1,
)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite",
    False,
    "Replace another data set in --data_dir, once the new one is complete.",
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    None,
    "Images to read and check at a time. Default: one a core.",
    lower_bound=1,
)


def run(open_source: Callable) -> None:
    """Runs a script of datasets/: opens the source, converts, says what came.

    The flags of this module appear in the script's help beside its own.

    Args:
        open_source: Function of --source that gives a `source.Source`. It
            imports what it needs, so that mistyped flags are reported at
            once.
    """

    def main(_):
        cli.import_tensorflow()
        from deepgbass.data.conversion import convert

        info = convert(
            open_source(_SOURCE.value),
            _DATA_DIR.value,
            num_shards=_SHARDS.value,
            overwrite=_OVERWRITE.value,
            workers=_WORKERS.value,
        )
        protocol = f", protocol {info.protocol}" if info.protocol else ""
        print(
            f"{_DATA_DIR.value}: {info.num_classes} classes{protocol}, "
            f"{info.splits}"
        )

    # cli.run shows the docstring and the flags of the module of `main`.
    main.__module__ = open_source.__module__
    for flag in flags.FLAGS.get_key_flags_for_module(__name__):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    cli.run(main)
