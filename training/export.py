"""From a checkpoint to what ships: one ONNX file, its card, and one card per style, the same bytes every time."""

import argparse
import base64
import hashlib
import json
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.config import Config
from training.model import Stylizer, StyleTable, at_strength, kmac_per_pixel

OPSET = 17
IR_VERSION = 8  # what opset 17 came with; older runtimes refuse newer files
MIN_SIDE = 32  # below, reflection at quarter resolution runs out of pixels


class Shipped(nn.Module):
    """The stylizer with everything a caller should not repeat: uint8 in and out, padding, strength."""

    identity: Tensor

    def __init__(self, stylizer: Stylizer, identity: Tensor) -> None:
        super().__init__()
        self.stylizer = stylizer
        self.register_buffer("identity", identity.detach().clone())

    def forward(self, content: Tensor, style: Tensor, strength: Tensor) -> Tensor:
        """content uint8 [N,H,W,3], style [N,K], strength [N]; returns uint8 [N,H,W,3]."""
        _, height, width, _ = content.shape
        x = content.permute(0, 3, 1, 2).float() / 255.0  # [N,3,H,W]
        x = F.pad(x, (0, (4 - width % 4) % 4, 0, (4 - height % 4) % 4), mode="reflect")
        x = self.stylizer(x, at_strength(style, strength, self.identity))[:, :, :height, :width]
        # Round while still float: a cast to uint8 cuts off, and every picture would darken by half a step.
        return (x * 255.0).round().clamp(0.0, 255.0).to(torch.uint8).permute(0, 2, 3, 1)
