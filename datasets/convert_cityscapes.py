"""Converts Cityscapes (19 classes) to TFRecords.

python datasets/convert_cityscapes.py --source=DIR --data_dir=DIR

DIR holds leftImg8bit/ and gtFine/ (docs/datasets.md).
"""

from deepgbass.commands import convert


def open_source(path):
    from deepgbass.data.cityscapes import open_cityscapes

    return open_cityscapes(path)


if __name__ == "__main__":
    convert.run(open_source)
