"""One file per shipped model says what made it, to be quoted by its card and repeated by others."""

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.model import StylizerShape


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one crop size and one balance of losses, on its own cosine."""

    steps: int
    batch: int
    crop: int  # strokes larger than the crop cannot be learned from it
    learning_rate: float
    style_rate: float  # learning rate of the embeddings, which have further to go than the weights
    style_weight: float  # of a relative error, against a content weight of one
    backbones: list[str]  # file names; their losses are averaged
    style_factors: dict[str, float] = field(default_factory=dict)  # by slug, on style_weight
    variation_weight: float = 0.0
    range_weight: float = 10.0
    pixel_weight: float = 0.0  # of the squared difference to the photograph, to start from it
    shift_weight: float = 0.0  # of the change when the photograph moves by a pixel or three
    warmup: int = 100
    floor: float = 0.01  # share of the learning rate that is left at the end; 1 holds it
    zoom: float = 1.0  # crops are cut from windows up to this many times smaller
    styles: list[str] = field(default_factory=list)  # slugs, often ones repeated; empty for all


@dataclass(frozen=True)
class Config:
    """What `train` reads and every checkpoint carries."""

    name: str
    version: str
    seed: int
    style_side: int  # short side at which a style picture's Gram matrices are taken
    part_strength: float  # share of pictures drawn at a random strength instead of all of it
    styles: dict[str, str]  # slug to file name in the style folder
    stages: list[Stage]
    start: str | None = None  # a stylizer of the catalog whose weights to begin from
    shape: StylizerShape = field(default_factory=StylizerShape)

    @property
    def steps(self) -> int:
        """Optimizer steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage that a step belongs to and the step's place in it."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        raise IndexError("step beyond the last stage")

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, so that a checkpoint loads with weights_only."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        """The inverse of to_dict, and of a TOML file."""
        stages = [Stage(**stage) for stage in values["stages"]]
        shape = dict(values.get("shape", {}))
        if "widths" in shape:
            shape["widths"] = tuple(shape["widths"])
        return cls(**{**values, "stages": stages, "shape": StylizerShape(**shape)})

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Read a TOML file."""
        return cls.from_dict(tomllib.loads(path.read_text()))
