"""Converts ADE20K-32 (SceneParsing's 31 most frequent classes) to TFRecords.

python datasets/convert_ade20k.py --source=DIR --data_dir=DIR --protocol=paper

DIR is ADEChallengeData2016, with images/ and annotations/ (docs/datasets.md).
"""

from absl import flags

from deepgbass.commands import convert

_PROTOCOL = flags.DEFINE_enum(
    "protocol",
    "paper",
    ["paper", "mlperf", "garden"],
    "What becomes of all other pixels: a trained class (paper) or ignored.",
)


def open_source(path):
    from deepgbass.data.ade20k import open_ade20k

    return open_ade20k(path, protocol=_PROTOCOL.value)


if __name__ == "__main__":
    convert.run(open_source)
