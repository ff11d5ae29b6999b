"""Converts CamVid (11 classes, 360x480) to TFRecords.

python datasets/convert_camvid.py --source=DIR --data_dir=DIR
"""

from absl import flags

from deepgbass.commands import cli

_SOURCE = flags.DEFINE_string(
    "source", None, "Folder of CamVid (datasets/README.md).", required=True
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder for the TFRecords.", required=True
)
_SHARDS = flags.DEFINE_integer("shards", 4, "Files a split.", lower_bound=1)
_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Replace another data set in --data_dir."
)


def main(_):
    cli.import_tensorflow()
    from deepgbass.data.camvid import convert_camvid

    info = convert_camvid(
        _SOURCE.value,
        _DATA_DIR.value,
        num_shards=_SHARDS.value,
        overwrite=_OVERWRITE.value,
    )
    print(f"{_DATA_DIR.value}: {info.num_classes} classes, {info.splits}")


if __name__ == "__main__":
    cli.run(main)
