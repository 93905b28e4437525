"""A solver of one's own, watched step by step:  python examples/own_solver.py OUT"""

import sys
from pathlib import Path

import torch

import jungle
from jungle.diffusion.sampler import SOLVERS, Move

GAMMA = 0.7  # 1: all noise is new (consistency sampling); 0: none is (deterministic)


def gamma_sampling(move: Move) -> torch.Tensor:
    """From level s to t with a share of new noise (CTM, arXiv 2310.02279, algorithm 3)."""
    kept = (move.x - move.clean) / move.s
    return move.clean + move.t * ((1 - GAMMA**2) ** 0.5 * kept + GAMMA * move.draw())


SOLVERS["gamma"] = gamma_sampling
out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
model = jungle.ImageModel.load("photo64")
for step in jungle.sample(model, {"tiger": 1.0}, seed=3, solver="gamma", steps=6):
    print(f"step {step.index} of {step.total}, noise level {step.sigma:.2f}")
    step.estimate.save(out / f"tiger-{step.index}.png")
