"""A run's state on disk: kill it, start it again, it goes on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from medrecon.errors import DamagedInputError, UsageError

STATE_NAME = "checkpoint.safetensors"
Curve = list[dict[str, float]]


@dataclass(slots=True)
class TrainState:
    """Network, optimiser and average at a step, and the curve that led there."""

    network: torch.nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, torch.Tensor]
    step: int = 0
    elapsed_s: float = 0.0
    curve: Curve = field(default_factory=list)

    def save(self, folder: Path, recipe: str) -> None:
        """Write the state; the file appears under its name only when whole."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for number, slot in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{k}": v for k, v in slot.items()}
        note = {
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "curve": self.curve,
            "recipe": recipe,
        }
        part = folder / (STATE_NAME + ".part")
        kept = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        save_file(kept, part, {"state": json.dumps(note)})
        part.replace(folder / STATE_NAME)

    def load(self, folder: Path, recipe: str) -> bool:
        """Take up the state in a folder; False if there is none.

        Raises
        ------
        UsageError
            If the state belongs to a run with other options.
        DamagedInputError
            If it cannot be read.
        """
        path = folder / STATE_NAME
        if not path.exists():
            return False
        note = _note(path)
        if note["recipe"] != recipe:
            raise UsageError(
                f"{path.name} in the output folder belongs to a run with other options; "
                "remove it, or choose another folder"
            )
        tensors = load_file(path)
        self.network.load_state_dict(_under("network.", tensors))
        self.average = _under("average.", tensors)
        self._load_optimizer(_under("optimizer.", tensors))
        self.step, self.curve = int(note["step"]), list(note["curve"])
        self.elapsed_s = float(note["elapsed_s"])
        return True

    def _load_optimizer(self, tensors: Mapping[str, torch.Tensor]) -> None:
        slots: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            number, key = name.split(".", 1)
            slots.setdefault(int(number), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})


def _note(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, "pt") as file:
            note: dict[str, Any] = json.loads(file.metadata()["state"])
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise DamagedInputError(
            f"{path.name} in the output folder is damaged; remove it, and training begins anew"
        ) from None
    return note


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
