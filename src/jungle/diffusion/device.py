"""The one place where device and dtype are chosen."""

import os
from dataclasses import dataclass

import torch

from ..errors import BadInput

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Compute:
    """Where the network runs, in which dtype, and why."""

    device: torch.device
    dtype: torch.dtype
    why: str

    def __str__(self) -> str:
        return f"{self.device} in {str(self.dtype).removeprefix('torch.')} ({self.why})"


def out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, on any device."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in ("can't allocate memory", "out of memory")
    )


def choose_device(wish: str = "") -> Compute:
    """Device and dtype for ``wish``: "" (best here), "cpu", "cuda", "mps", each with an optional
    ":float32" or ":bfloat16".

    CUDA runs bfloat16, MPS float32, a CPU bfloat16 where it has AMX or AVX512-BF16 (measured 1.7 to
    10 times faster there, see docs/LOG.md), else float32. The choice depends on the hardware alone,
    so that the same machine always paints the same bytes.

    Raises:
        BadInput: an unknown or absent device.
    """
    name, sign, dtype_name = wish.partition(":")
    if sign and dtype_name not in DTYPES:
        raise BadInput(
            f"<--device> {wish}: '{dtype_name}' is not a number format; use {' or '.join(DTYPES)}."
        )

    name = name or (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name not in present:
        raise BadInput(f"<--device> {wish}: there is no such device; use cpu, cuda or mps.")

    if not present[name]:
        raise BadInput(
            f"<--device> {wish}: this machine has no {name} device; leave <--device> out to take "
            "the "
            "best there is."
        )

    # What is asked for goes before what is fast here.
    if dtype_name:
        return Compute(torch.device(name), DTYPES[dtype_name], "as asked")
    if name == "cuda":
        return Compute(torch.device(name), torch.bfloat16, "tensor cores")
    if name == "mps":
        return Compute(torch.device(name), torch.float32, "Apple GPU")

    # Without a unit for bfloat16 a CPU emulates it, several times slower than float32.
    capabilities = torch.cpu.get_capabilities()
    fast = next(
        (
            label
            for key, label in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX512-BF16"))
            if capabilities.get(key)
        ),
        None,
    )
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} cores"

    return Compute(
        torch.device("cpu"),
        torch.bfloat16 if fast else torch.float32,
        f"{fast or 'no bfloat16 unit'}, {threads}",
    )
