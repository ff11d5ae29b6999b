"""Packaging: the wheel holds the package `deepgbass` and nothing else."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "deepgbass/__init__.py").read_text()
).group(1)
# TensorFlow and tf_keras move together, and the TFLite converter leaves later
# TensorFlow wheels: these are the versions the package is tested on.
TRAIN = [
    "matplotlib>=3.8",
    "scipy>=1.12",
    "tensorboard==2.21.0",
    "tensorflow==2.21.0",
    "tf_keras==2.21.0",
]
# For --quantization=qat_int8; it takes no absl-py from 2 on.
QAT = ["tensorflow_model_optimization==0.8.1"]
# tensorflow-datasets needs importlib_resources without saying so.
TFDS = ["tensorflow-datasets>=4.9.10", "importlib_resources>=6"]

setup(
    name="deepgbass",
    version=VERSION,
    description=(
        "Deep Guided Boundary-Aware Semantic Segmentation, "
        "from training to int8 on the Edge TPU"
    ),
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=["deepgbass", "deepgbass.*"]),
    package_data={
        "deepgbass": [
            "data/*.csv",
            "demo/*.css",
            "demo/*.html",
            "demo/*.js",
        ]
    },
    # What a network needs on a device, and no more: pip's extras can add
    # packages but not leave any out.
    install_requires=[
        "absl-py>=1.4",
        "ai-edge-litert==2.3.0",
        "flatbuffers>=24.3",
        "numpy>=2.0",
        "pillow>=10.0",
        "rich>=13.0",
    ],
    extras_require={
        # On a device: the plain install by the name that people look for.
        "coral": [],
        "train": TRAIN,
        "qat": [*TRAIN, *QAT],
        "video": ["opencv-python-headless>=4.8"],
        "tfds": [*TRAIN, *TFDS],
        "test": [
            "pytest>=8.0",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
            *TRAIN,
            *TFDS,
            *QAT,
        ],
    },
    entry_points={
        "console_scripts": [
            "deepgbass-train = deepgbass.commands.train:run",
            "deepgbass-export = deepgbass.commands.export:run",
            "deepgbass-evaluate = deepgbass.evaluate:run",
            "deepgbass-predict = deepgbass.predict:run",
            "deepgbass-benchmark = deepgbass.ondevice.benchmark:run",
            "deepgbass-demo = deepgbass.demo.__main__:run",
        ]
    },
)
