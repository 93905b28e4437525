"""Two networks that share the noise levels: one draws what is where, the other the detail.

After eDiff-I (Balaji et al. 2022, arXiv 2211.01324, section 4.1). Where squares of pixels are
large, a network has too few channels to tell the last noise from detail; one with small squares
can, and would be too slow for all levels.
"""

import math

import torch
from torch import Tensor, nn

from ..config.recipes import NetRecipe
from .unet import UNet


class NoiseLevelExperts(nn.Module):
    """A `UNet` for noise levels from ``below`` on, and another for those under it. Each item goes
    to one of them.
    """

    def __init__(self, coarse: NetRecipe, fine: NetRecipe, below: float, classes: int) -> None:
        super().__init__()
        self.coarse, self.fine = UNet(coarse, classes), UNet(fine, classes)
        self.edge = math.log(below) / 4

    def forward(self, x: Tensor, noise: Tensor, mix: Tensor) -> Tensor:
        """See `UNet.forward`."""
        low = noise < self.edge
        if bool(low.all()):
            answer: Tensor = self.fine(x, noise, mix)
        elif not bool(low.any()):
            answer = self.coarse(x, noise, mix)
        else:  # in training: a batch of all levels
            answer = torch.empty_like(x)
            for chosen, expert in ((low, self.fine), (~low, self.coarse)):
                answer[chosen] = expert(x[chosen], noise[chosen], mix[chosen])
        return answer
