"""One optimiser for all weights of a module, in the form that Pyro's SVI asks for."""

from __future__ import annotations

from typing import Any

import pyro.optim
import torch
from torch import Tensor, nn


class JointAdam(pyro.optim.PyroOptim):  # type: ignore[misc]
    """One torch optimiser over all weights, for `pyro.infer.SVI`.

    Pyro's own wrapper keeps one optimiser for each parameter of its process-global store; the
    weights here belong to a module and never enter that store.
    """

    def __init__(self, module: nn.Module, learning_rate: float, clip: float = 5.0) -> None:
        super().__init__(torch.optim.Adam, {"lr": learning_rate})
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.adam = torch.optim.Adam(
            self.parameters, lr=learning_rate, betas=(0.9, 0.99), fused=True
        )
        self.clip = clip

    def set_learning_rate(self, learning_rate: float) -> None:
        """Change the step size from here on."""
        for group in self.adam.param_groups:
            group["lr"] = learning_rate

    def state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, flat, by parameter number."""
        return {
            f"{number}.{name}": value.detach().clone()
            for number, values in self.adam.state_dict()["state"].items()
            for name, value in values.items()
        }

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from `state()`; left out for parameters whose shape has changed since."""
        for number, parameter in enumerate(self.parameters):
            names = [f"{number}.{name}" for name in ("exp_avg", "exp_avg_sq", "step")]
            if not all(name in state for name in names):
                continue
            mean, square, step = (state[name] for name in names)
            if mean.shape == parameter.shape:
                # In the parameter's own memory layout: the fused step walks through both alike.
                self.adam.state[parameter] = {
                    "exp_avg": torch.empty_like(parameter).copy_(mean).detach(),
                    "exp_avg_sq": torch.empty_like(parameter).copy_(square).detach(),
                    "step": step.clone().to(parameter.device),
                }

    def __call__(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Step along the gradients that the loss left, unless they are not finite."""
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if torch.isfinite(norm):
            self.adam.step()
        self.adam.zero_grad(set_to_none=True)
