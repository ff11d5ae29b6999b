"""The published networks that can be fetched: names, numbers, licences.

Facts as the TF DeepLab and MobileNet pages of tensorflow/models give them.
mIoU is on the validation set at the output stride (OS) named; "flip" and
"multi-scale" are averages over mirrored and resized images. Nothing is fetched
unless asked for: see `fetching.fetch`.
"""

import dataclasses

from deepgbass.errors import UserError

_DEEPLAB = "http://download.tensorflow.org/models/"
_IMAGENET = "https://storage.cloud.google.com/mobilenet_edgetpu/checkpoints/"
_ASPP_XCEPTION = {
    "backbone": "xception65",
    "decoder": "deeplab_v3plus",
    "decoder_channels": 256,
    "aspp_rates": (6, 12, 18),
    "align_corners": True,
}


@dataclasses.dataclass(frozen=True)
class ZooEntry:
    """One published network.

    Attributes:
        name: what `fetch` and the command call it.
        url: of the archive.
        dataset: it was trained on.
        published: accuracy as published, with the protocol.
        licence: of the weights, or "not stated".
        arguments: of `build_model`, or None where no network here fits.
        parts: for `load_zoo_weights`: "backbone" for ImageNet weights.
    """

    name: str
    url: str
    dataset: str
    published: str
    arguments: dict | None
    parts: str = "all"
    licence: str = "Apache-2.0"


def _mobile(backbone, num_classes, **arguments):
    return {
        "backbone": backbone,
        "decoder": None,
        "num_classes": num_classes,
        "align_corners": True,
        **arguments,
    }


CATALOG = (
    ZooEntry(
        "edgetpu_deeplab_cityscapes",
        f"{_DEEPLAB}edgetpu-deeplab_2020_03_09.tar.gz",
        "Cityscapes",
        "mIoU 70.6 at OS 32, 74.1 at OS 16",
        _mobile("mobilenet_edgetpu", 19, last_layer=24),
    ),
    ZooEntry(
        "edgetpu_deeplab_slim_cityscapes",
        f"{_DEEPLAB}edgetpu-deeplab-slim_2020_03_09.tar.gz",
        "Cityscapes",
        "mIoU 70.0 at OS 32, 73.2 at OS 16",
        _mobile(
            "mobilenet_edgetpu",
            19,
            depth_multiplier=0.75,
            last_layer=24,
            last_layer_channels=1280,
            aspp_channels=128,
        ),
    ),
    ZooEntry(
        "mobilenet_v2_cityscapes",
        f"{_DEEPLAB}deeplabv3_mnv2_cityscapes_train_2018_02_05.tar.gz",
        "Cityscapes",
        "mIoU 70.71 at OS 16",
        _mobile("mobilenet_v2", 19),
    ),
    ZooEntry(
        "mobilenet_v3_large_cityscapes",
        f"{_DEEPLAB}deeplab_mnv3_large_cityscapes_trainfine_2019_11_15.tar.gz",
        "Cityscapes",
        "mIoU 72.41 at OS 32",
        None,
    ),
    ZooEntry(
        "mobilenet_v3_small_cityscapes",
        f"{_DEEPLAB}deeplab_mnv3_small_cityscapes_trainfine_2019_11_15.tar.gz",
        "Cityscapes",
        "mIoU 68.99 at OS 32",
        None,
    ),
    ZooEntry(
        "xception65_cityscapes",
        f"{_DEEPLAB}deeplabv3_cityscapes_train_2018_02_06.tar.gz",
        "Cityscapes",
        "mIoU 78.79 at OS 16, 80.42 at OS 8 multi-scale and flip",
        {**_ASPP_XCEPTION, "num_classes": 19},
    ),
    ZooEntry(
        "xception65_voc_trainaug",
        f"{_DEEPLAB}deeplabv3_pascal_train_aug_2018_01_04.tar.gz",
        "Pascal VOC 2012",
        "mIoU 82.20 at OS 16, 83.58 at OS 8 multi-scale and flip",
        {**_ASPP_XCEPTION, "num_classes": 21},
    ),
    ZooEntry(
        "xception65_ade20k",
        f"{_DEEPLAB}deeplabv3_xception_ade20k_train_2018_05_29.tar.gz",
        "ADE20K",
        "mIoU 45.65 at OS 8 multi-scale and flip",
        {**_ASPP_XCEPTION, "num_classes": 151},
    ),
    ZooEntry(
        "mobilenet_v2_ade20k",
        f"{_DEEPLAB}deeplabv3_mnv2_ade20k_train_2018_12_03.tar.gz",
        "ADE20K",
        "mIoU 32.04",
        _mobile(
            "mobilenet_v2",
            151,
            decoder="deeplab_v3plus",
            decoder_channels=256,
        ),
    ),
    ZooEntry(
        "xception65_imagenet",
        f"{_DEEPLAB}deeplabv3_xception_2018_01_04.tar.gz",
        "ImageNet",
        "not stated",
        {"backbone": "xception65"},
        parts="backbone",
    ),
    ZooEntry(
        "xception65_coco",
        f"{_DEEPLAB}xception_65_coco_pretrained_2018_10_02.tar.gz",
        "ImageNet, then COCO",
        "not stated",
        {"backbone": "xception65"},
        parts="backbone",
    ),
    ZooEntry(
        "mobilenet_edgetpu_imagenet",
        f"{_IMAGENET}mobilenet_edgetpu_224_1.0.tgz",
        "ImageNet",
        "top-1 75.6 (int8)",
        {"backbone": "mobilenet_edgetpu"},
        parts="backbone",
    ),
    ZooEntry(
        "mobilenet_edgetpu_0.75_imagenet",
        f"{_IMAGENET}mobilenet_edgetpu_224_0.75.tgz",
        "ImageNet",
        "top-1 73.5 (int8)",
        {"backbone": "mobilenet_edgetpu", "depth_multiplier": 0.75},
        parts="backbone",
    ),
)


def entry(name: str) -> ZooEntry:
    """The entry of the catalogue with this name.

    Raises:
        UserError: there is none.
    """
    for found in CATALOG:
        if found.name == name:
            return found
    known = ", ".join(e.name for e in CATALOG)
    raise UserError(f"{name!r} is not in the catalogue; choose from {known}")
