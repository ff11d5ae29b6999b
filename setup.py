"""Packaging: the wheel holds the package `deepgbass` and nothing else."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "deepgbass/__init__.py").read_text()
).group(1)
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
    package_data={"deepgbass": ["data/*.csv"]},
    # TensorFlow and tf_keras move together, and the TFLite converter leaves
    # later TensorFlow wheels: these are the versions the package is tested on.
    install_requires=[
        "absl-py>=2.1",
        "ai-edge-litert==2.3.0",
        "matplotlib>=3.8",
        "numpy>=2.0",
        "pillow>=10.0",
        "rich>=13.0",
        "scipy>=1.12",
        "tensorboard==2.21.0",
        "tensorflow==2.21.0",
        "tf_keras==2.21.0",
    ],
    extras_require={
        # tensorflow-datasets needs importlib_resources without saying so.
        "tfds": TFDS,
        "test": ["pytest>=8.0", "ruff>=0.6", *TFDS],
    },
    entry_points={
        "console_scripts": [
            "deepgbass-train = deepgbass.commands.train:run",
            "deepgbass-export = deepgbass.commands.export:run",
            "deepgbass-predict = deepgbass.predict:run",
        ]
    },
)
