"""Converts a folder of images and labels to TFRecords.

python datasets/convert_folder.py --source=DIR --data_dir=DIR
"""

from deepgbass.commands import convert


def open_source(path):
    from deepgbass.data.folder import open_folder

    return open_folder(path)


if __name__ == "__main__":
    convert.run(open_source)
