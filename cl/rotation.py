"""Images turned about their centre."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own name for it
from torch import Tensor

CHUNK = 256
"""Images or channels per pass: small enough for the cache, measured twice as fast as thousands at a time."""


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Return images ``[n, (channels,) height, width]`` turned counter-clockwise, in new memory.

    The dtype stays. Bilinear interpolation, zero outside the image; uint8 is rounded to the nearest level.
    Each channel is turned as an image of its own would be. Full turns are the identity, bit for bit.
    """
    if degrees % 360 == 0 or len(images) == 0:
        return images.clone()
    grid = _sampling_grid(degrees, *images.shape[-2:])
    turned = torch.empty_like(images, memory_format=torch.contiguous_format)
    sources, targets = (torch.split(each.flatten(end_dim=-3), CHUNK) for each in (images, turned))
    for source, target in zip(sources, targets, strict=True):
        # The same grid serves every image, so the images are the channels of a single one.
        sampled = F.grid_sample(source[None].float(), grid, mode="bilinear", align_corners=False)[0]
        target.copy_(sampled if images.is_floating_point() else sampled.round_())
    return turned


def _sampling_grid(degrees: float, height: int, width: int) -> Tensor:
    """Where each output pixel is read from: the inverse turn, in coordinates that are -1 to 1 per axis."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    inverse = torch.tensor([[[cos, -sin * height / width, 0.0], [sin * width / height, cos, 0.0]]])
    return F.affine_grid(inverse, [1, 1, height, width], align_corners=False)
