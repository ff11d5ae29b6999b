"""Converts CamVid (11 classes, 360x480) to TFRecords.

python datasets/convert_camvid.py --source=DIR --data_dir=DIR
"""

from deepgbass.commands import convert


def open_source(path):
    from deepgbass.data.camvid import open_camvid

    return open_camvid(path)


if __name__ == "__main__":
    convert.run(open_source)
