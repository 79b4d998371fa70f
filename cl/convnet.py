"""A small convolutional network for image streams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Self

from torch import Tensor, nn

from cl.heads import HEADS, GrowingHead
from cl.module_trunk import ModuleTrunk
from cl.network import Network
from cl.registry import ConvNetSettings
from cl.registry.models import MOST_WEIGHTS
from cl.streams import Stream


class ConvNet(Network):
    """3 x 3 convolutions, each with a ReLU and 2 x 2 max pooling, then a hidden ReLU layer and the head.

    Args:
        image: shape of an example, (height, width) or (channels, height, width).
        channels: of each convolution; each halves height and width, rounding down.
        hidden: units of the layer under the outputs.
        head: which outputs there are and which compete; by default one head that grows with the classes.
        seed: the trial's seed.

    Raises:
        ValueError: *image* is no image, or too small to be halved so often; a layer has too many weights.

    >>> import torch
    >>> model = ConvNet(image=(28, 28), channels=(8, 16), hidden=32)
    >>> model.append_outputs(10)
    >>> model(torch.zeros(3, 784)).shape, len(model.theta)
    (torch.Size([3, 10]), 26698)
    """

    def __init__(
        self,
        image: tuple[int, ...],
        channels: Sequence[int] = (16, 32),
        hidden: int = 128,
        head: GrowingHead | None = None,
        *,
        seed: int = 0,
    ) -> None:
        _check(image, channels, hidden)
        trunk = ModuleTrunk(partial(_layers, image, tuple(channels), hidden), image)
        super().__init__(trunk, GrowingHead() if head is None else head, seed=seed)

    @classmethod
    def build(cls, settings: ConvNetSettings, stream: Stream) -> Self:
        """The model for *stream* with the head that fits its increment kind, without outputs yet."""
        head = HEADS[stream.kind]()
        return cls(stream.image, settings.channels, settings.hidden, head, seed=stream.seed)

    @staticmethod
    def check(settings: ConvNetSettings, stream: Stream) -> None:
        """Raise ValueError where `build` would, without building anything."""
        _check(stream.image, settings.channels, settings.hidden)


def _check(image: tuple[int, ...], channels: Sequence[int], hidden: int) -> None:
    if len(image) not in {2, 3}:
        raise ValueError(
            "ConvNet: images of shape (height, width) or (channels, height, width) are needed; "
            f"the data's shape is {image}"
        )
    side = 2 ** len(channels)
    if min(image[-2:]) < side:
        raise ValueError(
            f"ConvNet: its {len(channels)} convolutions halve the image each, so it must be at least "
            f"{side} x {side}; the data's shape is {image}"
        )
    colours = math.prod(image[:-2])
    weights = [9 * inputs * outputs for inputs, outputs in pairwise((colours, *channels))]
    weights.append(channels[-1] * _places(image, len(channels)) * hidden)
    if max(weights) > MOST_WEIGHTS:
        raise ValueError(
            f"ConvNet: at most {MOST_WEIGHTS} weights between two layers; with images of shape {image}, "
            f"channels {list(channels)} and hidden {hidden} there are {max(weights)}"
        )


def _places(image: tuple[int, ...], depth: int) -> int:
    """Height times width after *depth* halvings."""
    return (image[-2] >> depth) * (image[-1] >> depth)


def _layers(image: tuple[int, ...], channels: tuple[int, ...], hidden: int) -> nn.Sequential:
    layers: list[nn.Module] = [_ColoursInnermost()]
    for inputs, outputs in pairwise((math.prod(image[:-2]), *channels)):
        # A ReLU of the maxima is the maximum of the ReLUs, at a quarter of the work.
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()]
    features = channels[-1] * _places(image, len(channels))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, hidden), nn.ReLU())


class _ColoursInnermost(nn.Module):
    """The same images in the order in which a processor convolves and pools them half again as fast."""

    def forward(self, images: Tensor) -> Tensor:
        """Not ``contiguous(memory_format=torch.channels_last)``, which leaves a single channel as it is."""
        n, channels, height, width = images.shape
        numbers = images.movedim(1, -1).flatten()
        return numbers.view(n, height, width, channels).movedim(-1, 1)
