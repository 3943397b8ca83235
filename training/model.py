"""The stylizer: one small network for every style, since styles that are vectors share a batch.

A feed-forward network (Johnson 2016, arXiv:1603.08155) at half width with conditional instance
normalization (Dumoulin 2017, arXiv:1610.07629): all scales and shifts come from one embedding per
picture.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPSILON = 1e-3  # large, so that a white wall is not blown up into noise


@dataclass(frozen=True)
class StylizerShape:
    """The numbers that fix a network's size, so that a checkpoint can rebuild it."""

    widths: tuple[int, int, int] = (16, 32, 64)  # channels at full, half and quarter resolution
    blocks: int = 5  # residual blocks, all at quarter resolution
    outer_kernel: int = (
        5  # first and last convolution; 9 as in Johnson 2016 would cost 5 kMAC a pixel more
    )

    @property
    def norm_widths(self) -> list[int]:
        """Channels of every normalization, in the order in which the embedding is cut."""
        full, half, quarter = self.widths
        return [full, half, quarter, *[quarter] * (2 * self.blocks), half, full]

    @property
    def embedding_size(self) -> int:
        """Floats in one style: scale and shift per normalized channel, kept share per colour."""
        return 2 * sum(self.norm_widths) + 3


def conv(
    in_width: int, out_width: int, kernel: int, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """A convolution that reflects at the border, since zeros there would be painted as a frame."""
    padding = kernel // 2
    return nn.Conv2d(
        in_width, out_width, kernel, stride, padding, bias=bias, padding_mode="reflect"
    )


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Conditional instance norm: x [N,C,H,W], scale and shift [N,C]."""
    count, width, height, breadth = x.shape
    # As one picture of N*C channels, the norm scales and shifts by itself: two passes less.
    flat = x.reshape(1, count * width, height, breadth)
    scale, shift = scale.reshape(-1), shift.reshape(-1)
    flat = F.instance_norm(flat, weight=scale, bias=shift, eps=NORM_EPSILON)
    return flat.reshape(count, width, height, breadth)


class Stylizer(nn.Module):  # type: ignore[misc]  # untyped to mypy
    """Content and style in, picture out; sides must be multiples of 4 (the exported graph pads)."""

    def __init__(self, shape: StylizerShape) -> None:
        super().__init__()
        self.shape = shape
        full, half, quarter = shape.widths
        self.first = conv(3, full, shape.outer_kernel)
        self.down = nn.ModuleList([conv(full, half, 3, 2), conv(half, quarter, 3, 2)])
        self.body = nn.ModuleList([conv(quarter, quarter, 3) for _ in range(2 * shape.blocks)])
        self.up = nn.ModuleList([conv(quarter, half, 3), conv(half, full, 3)])
        self.last = conv(full, 3, shape.outer_kernel)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """content [N,3,H,W] in 0..1, style [N,K]; returns [N,3,H,W], not clipped to 0..1."""
        pairs = [size for width in self.shape.norm_widths for size in (width, width)]
        *norms, keep = style.split([*pairs, 3], dim=1)
        cuts = zip(norms[::2], norms[1::2], strict=True)  # scale and shift of each norm
        x = F.relu(modulate(self.first(content), *next(cuts)))  # [N,16,H,W]
        for down in self.down:
            x = F.relu(modulate(down(x), *next(cuts)))  # [N,32,H/2,W/2], [N,64,H/4,W/4]
        for one, two in zip(self.body[::2], self.body[1::2], strict=True):
            y = F.relu(modulate(one(x), *next(cuts)))
            x = x + modulate(two(y), *next(cuts))  # [N,64,H/4,W/4]
        for up in self.up:
            # Nearest, then convolve: a transposed convolution draws checkerboards.
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = F.relu(modulate(up(x), *next(cuts)))  # [N,32,H/2,W/2], [N,16,H,W]
        painted: Tensor = self.last(x)
        # Instance norm forgets how bright and how red a picture was; the kept share remembers.
        return painted + keep[:, :, None, None] * content


class StyleTable(nn.Module):  # type: ignore[misc]  # untyped to mypy
    """The embeddings of all styles in training, and of the identity that strength starts from.

    The identity keeps all of the content and paints nothing, by construction: its last scales and
    shifts are held at zero. The rest is trained so that the way from it to a style looks well.
    """

    fixed: Tensor
    free: Tensor

    def __init__(self, shape: StylizerShape, styles: int) -> None:
        super().__init__()
        widths = shape.norm_widths
        plain = torch.cat([torch.cat([torch.ones(w), torch.zeros(w)]) for w in widths])
        last = 2 * widths[-1]
        free = torch.cat([torch.ones(plain.numel() - last), torch.zeros(last + 3)])
        self.rows = nn.Parameter(plain.repeat(styles, 1))  # [S,K-3]
        self.rest = nn.Parameter(torch.cat([plain, torch.zeros(3)]) * free)  # [K]
        self.register_buffer("free", free, persistent=False)
        self.register_buffer(
            "fixed", torch.cat([torch.zeros(plain.numel()), torch.ones(3)]), persistent=False
        )

    @property
    def styles(self) -> Tensor:
        """The embeddings [S,K]; no style keeps content, for one that may stays a photograph."""
        return F.pad(self.rows, (0, 3))

    @property
    def identity(self) -> Tensor:
        """The embedding [K] that returns the content."""
        return self.rest * self.free + self.fixed

    def forward(self, index: Tensor, strength: Tensor) -> Tensor:
        """index [N] of styles, strength [N] in 0..1; returns embeddings [N,K]."""
        return at_strength(self.styles[index], strength, self.identity)


def at_strength(style: Tensor, strength: Tensor, identity: Tensor) -> Tensor:
    """The point between identity [K] and style [N,K] at strength [N]."""
    return identity + strength[:, None] * (style - identity)


def reach(shape: StylizerShape) -> int:
    """How many pixels away one pixel of the content can still change one of the picture."""
    outer, resampling, body = 2 * (shape.outer_kernel // 2), 2 * (1 + 2), 4 * 2 * shape.blocks
    return outer + resampling + body + 3  # where in its cell of four the pixel lies


def kmac_per_pixel(shape: StylizerShape) -> float:
    """Thousands of multiplications per pixel in the convolutions, nine tenths of the run time."""
    full, half, quarter = shape.widths
    outer = 2 * shape.outer_kernel**2 * 3 * full
    down = 9 * full * half / 4 + 9 * half * quarter / 16
    body = 2 * shape.blocks * 9 * quarter**2 / 16
    up = 9 * quarter * half / 4 + 9 * half * full
    return (outer + down + body + up) / 1000
