"""Train the model: `python -m pilot.train --run NAME --minutes N`.

The learning rate follows the clock, not the step count: it is constant until the last part of the
time and then falls to nothing, so that whatever the machine managed by then is well annealed. A
run that was stopped goes on from its last checkpoint (SIGTERM saves one); `--minutes` is the whole
time, not the rest.

Matrices are trained with Muon (momentum made orthogonal by a Newton-Schulz iteration), which
is known to need fewer tokens than Adam at such sizes; embedding and norms with Adam.
"""

import argparse
import csv
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pilot.batches import ROW, heldout, stream
from pilot.corpus.mixture import GROUPS
from pilot.model import Batch, Pilot, Shape
from pilot.tokenizer import Tokenizer

RUNS = Path(__file__).with_name("runs")
MUON_RATE, ADAM_RATE = 0.02, 3e-3
WEIGHT_DECAY = 0.05
WARM_UP_STEPS = 100
DRILL_STEPS = 200
CONSTANT_PART = 0.65
LOG_EVERY, EVALUATE_EVERY, SAVE_EVERY = 40, 240.0, 300.0
"""Steps, seconds, seconds."""


class Muon(torch.optim.Optimizer):
    """Momentum whose steps are made orthogonal, matrices of the same shape at once."""

    def __init__(self, weights: Sequence[Tensor], lr: float, momentum: float = 0.95) -> None:
        """Group the matrices by shape."""
        shapes = sorted({tuple(weight.shape) for weight in weights})
        super().__init__(
            [{"params": [w for w in weights if tuple(w.shape) == shape]} for shape in shapes],
            {"lr": lr, "momentum": momentum},
        )

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move every matrix."""
        for group in self.param_groups:
            updates = []
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                updates.append(weight.grad.lerp(state["momentum"], group["momentum"]))
            rows, columns = updates[0].shape
            scale = group["lr"] * max(1.0, rows / columns) ** 0.5
            for weight, update in zip(group["params"], _orthogonal(updates), strict=True):
                weight.mul_(1 - group["lr"] * WEIGHT_DECAY).add_(update, alpha=-scale)


def _orthogonal(matrices: Sequence[Tensor]) -> Tensor:
    """The nearest orthogonal matrices, roughly: five Newton-Schulz steps of the fifth order."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = torch.stack(list(matrices)).to(torch.bfloat16)
    tall = x.shape[1] > x.shape[2]
    x = x.mT.contiguous() if tall else x
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).to(x.dtype) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


def rate(step: int, progress: float) -> float:
    """The learning rate, as a part of its peak."""
    falling = min(1.0, (1.0 - progress) / (1.0 - CONSTANT_PART))
    return min(1.0, (step + 1) / WARM_UP_STEPS) * max(0.01, falling)


@torch.no_grad()
def evaluate(model: Pilot, batches: Sequence[Batch]) -> dict[str, float]:
    """Held-out loss per token, and the part of replies that greedy decoding gets exactly."""
    losses: dict[str, list[float]] = {name: [] for name in GROUPS}
    exact: dict[str, list[bool]] = {name: [] for name in GROUPS}
    for batch in batches:
        states = model.hidden(batch.tokens, batch.positions, batch.groups)
        logits = model.logits(states.index_select(0, batch.sources))
        each = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
        right = (logits.argmax(-1) == batch.targets).tolist()
        previous = -2
        places = zip(
            batch.sources.tolist(), batch.kinds.tolist(), each.tolist(), right, strict=True
        )
        for place, kind, loss, is_right in places:
            name = GROUPS[kind]
            losses[name].append(loss)
            if place == previous + 1:
                exact[name][-1] = exact[name][-1] and is_right
            else:
                exact[name].append(is_right)
            previous = place
    means = {f"heldout {name}": sum(v) / len(v) for name, v in losses.items() if v}
    return means | {f"exact {name}": sum(v) / len(v) for name, v in exact.items() if v}


class Log:
    """The rows of `log.csv`."""

    COLUMNS = (
        *("step", "seconds", "tokens", "rate"),
        *(f"{what} {name}" for what in ("train", "heldout", "exact") for name in GROUPS),
    )

    def __init__(self, path: Path) -> None:
        """Go on with the file, or begin it."""
        self.path = path
        if not path.exists():
            with path.open("w", newline="") as file:
                csv.writer(file).writerow(self.COLUMNS)

    def write(self, **values: float) -> None:
        """Add a row and show it."""
        row = [round(values[name], 4) if name in values else "" for name in self.COLUMNS]
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        shown = (f"{name} {values[name]:.4g}" for name in self.COLUMNS if name in values)
        print(" | ".join(shown), flush=True)


class Trainer:
    """One run: its model and optimizers, and how far it has come."""

    def __init__(self, run: Path, minutes: float, seed: int) -> None:
        """Begin the run, or go on from its checkpoint."""
        torch.manual_seed(seed)
        self.run, self.minutes, self.seed = run, minutes, seed
        self.tokenizer = Tokenizer.load(run / "tokenizer.json")
        self.model = Pilot(Shape(vocab_size=len(self.tokenizer)), compiled=True)
        matrices = [w for layer in self.model.layers for w in layer.parameters() if w.ndim == 2]
        known = set(map(id, matrices))
        others = [w for w in self.model.parameters() if id(w) not in known]
        self.muon = Muon(matrices, MUON_RATE)
        betas = (0.9, 0.95)
        self.adam = torch.optim.AdamW(others, ADAM_RATE, betas=betas, eps=1e-8, weight_decay=0.0)
        self.step, self.before, self.tokens = 0, 0.0, 0
        if (run / "checkpoint.pt").exists():
            self._restore(torch.load(run / "checkpoint.pt", weights_only=True))
        self.start = time.monotonic()

    def _restore(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        if "muon" in saved:  # not after `pilot.restore`
            self.muon.load_state_dict(saved["muon"])
            self.adam.load_state_dict(saved["adam"])
            torch.set_rng_state(saved["random"])
        self.step, self.before, self.tokens = saved["step"], saved["seconds"], saved["tokens"]

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "shape": asdict(self.model.shape),
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "random": torch.get_rng_state(),
            "step": self.step,
            "seconds": self.seconds,
            "tokens": self.tokens,
        }
        torch.save(state, self.run / "checkpoint.tmp")
        (self.run / "checkpoint.tmp").replace(self.run / "checkpoint.pt")

    @property
    def seconds(self) -> float:
        """Of training, all sessions of the run together."""
        return self.before + time.monotonic() - self.start

    @property
    def progress(self) -> float:
        """The part of the time that is over."""
        return self.seconds / (60 * self.minutes)

    @property
    def rate(self) -> float:
        """The learning rate now, as a part of its peak."""
        return rate(self.step, self.progress)

    def learn(self, batch: Batch) -> Tensor:
        """One step; the loss of every learned token of the batch."""
        for optimizer, peak in ((self.muon, MUON_RATE), (self.adam, ADAM_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = peak * self.rate
            optimizer.zero_grad()
        losses = self.model.losses(batch)
        losses.mean().backward()
        self.muon.step()
        self.adam.step()
        self.step += 1
        self.tokens += ROW
        return losses.detach()

    def figures(self) -> dict[str, float]:
        """What every row of the log begins with."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "rate": self.rate,
        }


class Means:
    """Losses by group since they were last asked for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._sums, self._counts = torch.zeros(len(GROUPS)), torch.zeros(len(GROUPS))

    def add(self, kinds: Tensor, losses: Tensor) -> None:
        """Those of one batch."""
        self._sums.index_add_(0, kinds, losses)
        self._counts.index_add_(0, kinds, torch.ones_like(losses))

    def take(self) -> dict[str, float]:
        """The means, and begin anew."""
        pairs = zip(GROUPS, self._sums.tolist(), self._counts.tolist(), strict=True)
        means = {f"train {name}": total / count for name, total, count in pairs if count}
        self._sums.zero_()
        self._counts.zero_()
        return means


def train(run: Path, minutes: float, seed: int) -> None:
    """Train until the time is over, beginning or going on."""
    trainer, means = Trainer(run, minutes, seed), Means()
    fixed = heldout(trainer.tokenizer, each=60)
    log = Log(run / "log.csv")
    batches = stream(run / "tokenizer.json", seed, trainer.step, DRILL_STEPS)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    evaluated = saved_at = time.monotonic()
    while trainer.progress < 1.0 and not stopped.is_set():
        batch = next(batches)
        means.add(batch.kinds, trainer.learn(batch))
        now = time.monotonic()
        if trainer.step % LOG_EVERY == 0:
            values = means.take()
            if now - evaluated > EVALUATE_EVERY:
                evaluated = now
                values |= evaluate(trainer.model, fixed)
            log.write(**trainer.figures(), **values)
        if now - saved_at > SAVE_EVERY:
            saved_at = now
            trainer.save()
    trainer.save()
    if not stopped.is_set():
        log.write(**trainer.figures(), **evaluate(trainer.model, fixed))
        plot(run)


def plot(run: Path) -> None:
    """Draw the log."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with (run / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure, panels = plt.subplots(1, 3, figsize=(16, 5))
    for panel, what in zip(panels, ("train", "heldout", "exact"), strict=True):
        for name in GROUPS:
            points = [
                (float(row["tokens"]) / 1e6, float(row[f"{what} {name}"]))
                for row in rows
                if row[f"{what} {name}"]
            ]
            if points:
                panel.plot(*zip(*points, strict=True), label=name, linewidth=1)
        panel.set_xlabel("million tokens")
        panel.set_title({"exact": "held-out replies, exact"}.get(what, f"{what} loss"))
        if what != "exact":
            panel.set_yscale("log")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(run / "loss.png", dpi=110)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Train Cupola-Pilot.")
    parser.add_argument("--run", help="name of the run to begin or go on with")
    parser.add_argument("--minutes", type=float, help="the whole training time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plot", metavar="RUN", help="only draw the log of a run")
    arguments = parser.parse_args()
    if arguments.plot:
        plot(RUNS / arguments.plot)
        return
    torch.set_num_threads(arguments.threads)
    train(RUNS / arguments.run, arguments.minutes, arguments.seed)


if __name__ == "__main__":
    main()
