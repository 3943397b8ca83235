"""The training loop, top to bottom: crops in, losses out, now and then a checkpoint and a sheet."""

import argparse
import json
import math
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.catalog import IDENTITY, read_embeddings, read_stylizer
from training.checkpoint import read, save
from training.config import Config, Stage
from training.contact_sheet import save_sheet
from training.data import Crops, DataError, read_photos, read_picture
from training.device import AUTO, HELP, open_device
from training.judge import Judge, calm, shift_error
from training.losses import Backbone, range_loss, total_variation
from training.model import StyleTable, Stylizer

HELD_OUT = 4  # photographs at the end of the folder that are only ever looked at
LONGEST_STEP = 5.0  # seconds; more than that is a process that somebody stopped, not training


@dataclass(frozen=True)
class Folders:
    """Where the data is; none of it is ever part of a checkpoint."""

    photos: Path
    styles: Path
    backbones: Path


class Trainer:
    """Everything that changes while training, and how to put it away and take it out again."""

    def __init__(
        self,
        config: Config,
        folders: Folders,
        device: torch.device | str,
        bf16: bool,
        compiler: str | None = None,  # a backend of torch.compile
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folders, self.device = config, folders, torch.device(device)
        self.compiler = compiler
        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self.stylizer = Stylizer(config.shape).to(self.device)
        self.drawing = self._compiled(self.stylizer)
        self.table = StyleTable(config.shape, len(config.styles)).to(self.device)
        self.optimizer = self._fresh_optimizer()
        photos = read_photos(folders.photos)
        self.photos, self.held_out = photos[:-HELD_OUT], photos[-HELD_OUT:]
        if not self.photos:
            raise DataError(f"{folders.photos}: more than {HELD_OUT} photographs are needed")
        self.step, self.seconds, self.pictures_seen = 0, 0.0, 0
        self.losses: dict[str, float] = {}

    def _fresh_optimizer(self) -> torch.optim.Adam:
        groups = [{"params": list(m.parameters())} for m in (self.stylizer, self.table)]
        return torch.optim.Adam(groups)

    def stages(self) -> Iterator[tuple[Stage, Crops, list[Judge]]]:
        """The stages that are not finished yet, each with its crops and its judges."""
        while self.step < self.config.steps:
            stage, place = self.config.stage_at(self.step)
            torch.compiler.reset()  # past a handful of sizes PyTorch would make no more code
            if place == 0:  # moments of other losses would throw the first steps far off
                self.optimizer = self._fresh_optimizer()
            seed = self.config.seed
            crops = Crops(self.photos, stage.crop, stage.batch, seed, stage.zoom)
            yield stage, crops, [self._judge(name) for name in stage.backbones]

    def _judge(self, name: str) -> Judge:
        side, names = self.config.style_side, self.config.styles.values()
        images = [read_picture(self.folders.styles / n, side) for n in names]
        backbone = Backbone.load(self.folders.backbones / name).to(self.device)
        return Judge(backbone, images, self.dtype)

    def _compiled(self, module: Any) -> Any:
        """
        The module as fast code, beside the module itself: what is saved knows nothing of it.

        One piece of code per size: each stage has two, that of its crops and that of their shifts.
        """
        if self.compiler is None:
            return module
        return torch.compile(module, dynamic=False, backend=self.compiler)

    def run_step(self, stage: Stage, crops: Crops, judges: list[Judge]) -> dict[str, float]:
        """One optimizer step; returns the losses."""
        started = time.monotonic()
        share = rate_share(stage, self.config.stage_at(self.step)[1])
        rates = (stage.learning_rate, stage.style_rate)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share
        content = crops.at(self.step).to(self.device)
        index, strength = (t.to(self.device) for t in self._draw_styles(stage))
        factors = [stage.style_factors.get(slug, 1.0) for slug in self.config.styles]
        style_weight = stage.style_weight * torch.tensor(factors, device=self.device)[index]
        none = torch.zeros(stage.batch, device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16, self.dtype == torch.bfloat16):
            embedding = self.table(index, strength)
            drawn = self.drawing(content, embedding).float()
            moved = none
            if stage.shift_weight:
                rng = np.random.default_rng((self.config.seed, self.step, 2))
                moved = shift_error(self.drawing, content, embedding, drawn, rng)
        scores = [judge.score(drawn, content, index) for judge in judges]
        parts = {
            "content": torch.stack([score[0] for score in scores] or [none]).mean(0),
            "style": torch.stack([score[1] for score in scores] or [none]).mean(0),
            "variation": total_variation(drawn),
            "range": range_loss(drawn),
            "shift": moved,
            "pixel": (drawn - content).square().mean((1, 2, 3)),
        }
        # Half strength is asked for half as much style, so that the way to the identity is even.
        loss = (
            parts["content"]
            + style_weight * strength * parts["style"] * calm(parts["style"])
            + stage.variation_weight * parts["variation"]
            + stage.range_weight * parts["range"]
            + stage.shift_weight * parts["shift"]
            + stage.pixel_weight * parts["pixel"]
        ).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        self.pictures_seen += stage.batch
        self.seconds += min(time.monotonic() - started, LONGEST_STEP)
        return {"loss": loss.item()} | {name: part.mean().item() for name, part in parts.items()}

    def _draw_styles(self, stage: Stage) -> tuple[Tensor, Tensor]:
        """Which style and how much of it for each picture, decided by the step number alone."""
        rng = np.random.default_rng((self.config.seed, self.step, 1))
        slugs = list(self.config.styles)
        styles = np.array([slugs.index(slug) for slug in stage.styles or slugs])
        # Turn by turn, so that no style is left out for long; the start is random.
        turn = (np.arange(stage.batch) + rng.integers(len(styles))) % len(styles)
        part = rng.random(stage.batch) < self.config.part_strength
        strength = np.where(part, rng.random(stage.batch), 1.0)
        return torch.from_numpy(styles[turn]), torch.from_numpy(strength).float()

    def checkpoint(self) -> dict[str, Any]:
        """Everything needed to resume or to explain, as plain values and tensors."""
        return {
            "stylizer": self.stylizer.state_dict(),
            "table": self.table.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "config": self.config.to_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "pictures_seen": self.pictures_seen,
            "losses": self.losses,
        }

    def begin_from(self, folder: Path) -> None:
        """Take a shipped stylizer's weights; a style it does not know starts amid those it does."""
        self.stylizer.load_state_dict(read_stylizer(folder, self.config.shape).state_dict())
        known = read_embeddings(folder.parent.parent, folder.name)
        rest = known.pop(IDENTITY)
        middle = torch.stack(list(known.values())).mean(0)
        rows = torch.stack([known.get(slug, middle) for slug in self.config.styles])
        with torch.no_grad():
            self.table.rows.copy_(rows[:, :-3])  # the kept shares are not learned
            self.table.rest.copy_(rest)

    def restore(self, saved: dict[str, Any]) -> None:
        """The inverse of checkpoint; the config stays the one given: stages can be added."""
        self.stylizer.load_state_dict(saved["stylizer"])
        self.table.load_state_dict(saved["table"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.pictures_seen, self.losses = saved["pictures_seen"], saved["losses"]


def rate_share(stage: Stage, step: int) -> float:
    """A short rise, then a cosine down to the floor (Loshchilov 2017, arXiv:1608.03983)."""
    rise = min(1.0, (step + 1) / max(1, stage.warmup))
    way = 0.5 + 0.5 * math.cos(math.pi * step / stage.steps)
    return rise * (stage.floor + (1.0 - stage.floor) * way)


def train(trainer: Trainer, out: Path, every: int, until: int | None = None) -> None:
    """Train to the last stage's end or step `until`; save and draw a sheet every `every` steps."""
    out.mkdir(parents=True, exist_ok=True)
    end = min(until or trainer.config.steps, trainer.config.steps)
    recent: deque[dict[str, float]] = deque(maxlen=200)
    bar = tqdm(total=end, initial=trainer.step, desc=trainer.config.name, mininterval=5.0)
    with bar, (out / "losses.jsonl").open("a") as log:
        for stage, crops, judges in trainer.stages():
            last = min(end, stage_end(trainer))
            while trainer.step < last:
                recent.append(trainer.run_step(stage, crops, judges))
                bar.update()
                if trainer.step % 50 == 0 or trainer.step == last:
                    trainer.losses = {k: float(np.mean([r[k] for r in recent])) for k in recent[0]}
                    bar.set_postfix({k: f"{v:.3f}" for k, v in trainer.losses.items()})
                    line = {"step": trainer.step, "seconds": round(trainer.seconds, 1)}
                    print(json.dumps(line | trainer.losses), file=log, flush=True)
                if trainer.step % every == 0 or trainer.step == last:
                    save(out / "checkpoint.pt", trainer.checkpoint())
                    save_sheet(out / "sheet.jpg", trainer.held_out, trainer.stylizer, trainer.table)
            if trainer.step >= end:
                return


def stage_end(trainer: Trainer) -> int:
    """The first step after the present stage."""
    stage, place = trainer.config.stage_at(trainer.step)
    return trainer.step - place + stage.steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a file of training/configs")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--styles", type=Path, required=True, help="folder of style pictures")
    parser.add_argument("--backbones", type=Path, required=True, help="folder of VGG weights")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint, losses and sheets")
    parser.add_argument("--catalog", type=Path, default=Path("catalog"), help="holds the start")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    parser.add_argument("--device", default=AUTO, help=HELP)
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler on a CPU")
    parser.add_argument("--bf16", action="store_true", help="convolutions in bfloat16")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--every", type=int, default=1000, help="steps between checkpoints")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    folders = Folders(chosen.photos, chosen.styles, chosen.backbones)
    try:
        device = open_device(chosen.device)
        config, compiler = Config.load(chosen.config), "inductor" if chosen.compile else None
        trainer = Trainer(config, folders, device, chosen.bf16, compiler)
    except DataError as error:
        sys.exit(f"error: {error}")
    if chosen.resume:
        trainer.restore(read(chosen.out / "checkpoint.pt"))
    elif trainer.config.start:
        trainer.begin_from(chosen.catalog / "stylizers" / trainer.config.start)
    train(trainer, chosen.out, chosen.every)


if __name__ == "__main__":
    main()
