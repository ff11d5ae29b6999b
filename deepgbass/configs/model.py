"""Configuration of the network."""

import dataclasses
from dataclasses import dataclass

from deepgbass.configs.values import require

BACKBONES = ("mobilenet_edgetpu", "mobilenet_v2", "xception65")
DECODERS = ("guided", "deeplab_v3plus", None)


@dataclass(frozen=True)
class ModelConfig:
    """The network (Figs. 1 and 2): arguments of `deepgbass.build_model`.

    Attributes:
        decoder: "guided" (DGD), "deeplab_v3plus" (DLv3D) or None.
        decoder_channels: the k of DGD-k and DLv3D-k.
        box_radius: radius in stride-4 pixels of the guided block's window.
        batch_norm_momentum: None keeps the reference's 0.997 / 0.9997, which
            need tens of thousands of steps to settle.
        align_corners: True to go on from published TF1 DeepLab weights.
        last_layer, last_layer_channels: of mobilenet_edgetpu; see there.
    """

    backbone: str = "mobilenet_edgetpu"
    depth_multiplier: float = 1.0
    output_stride: int = 16
    aspp_channels: int = 256
    aspp_rates: tuple[int, ...] = ()
    decoder: str | None = "guided"
    decoder_channels: int = 64
    box_radius: int = 1
    batch_norm_momentum: float | None = None
    align_corners: bool = False
    last_layer: int | None = None
    last_layer_channels: int | None = None

    def __post_init__(self):
        def check(condition, name, wanted):
            require(condition, "model", name, getattr(self, name), wanted)

        check(self.backbone in BACKBONES, "backbone", f"one of {BACKBONES}")
        check(self.decoder in DECODERS, "decoder", f"one of {DECODERS}")
        check(self.output_stride in (8, 16, 32), "output_stride", "8, 16 or 32")
        check(self.depth_multiplier > 0, "depth_multiplier", "above 0")
        check(self.aspp_channels > 0, "aspp_channels", "above 0")
        check(self.decoder_channels > 0, "decoder_channels", "above 0")
        check(
            all(rate > 0 for rate in self.aspp_rates),
            "aspp_rates",
            "numbers above 0, or [] for none",
        )
        check(self.box_radius >= 1, "box_radius", "at least 1")
        momentum = self.batch_norm_momentum
        check(
            momentum is None or 0 < momentum < 1,
            "batch_norm_momentum",
            "none or between 0 and 1",
        )
        if self.backbone != "mobilenet_edgetpu":
            for name in ("last_layer", "last_layer_channels"):
                check(
                    getattr(self, name) is None,
                    name,
                    f"none for backbone {self.backbone}",
                )
        check(self.last_layer in (None, 23, 24), "last_layer", "23 or 24")
        channels = self.last_layer_channels
        check(
            channels is None or (channels > 0 and self.last_layer == 24),
            "last_layer_channels",
            "none, or above 0 with last_layer 24",
        )

    def build_arguments(self):
        """These fields as keywords of `deepgbass.build_model`."""
        values = dataclasses.asdict(self)
        for name in ("last_layer", "last_layer_channels"):
            if values[name] is None:
                del values[name]
        return values
