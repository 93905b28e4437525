"""Postcards from my jungle: pictures, calls and language of animals that never lived.

Names are loaded when they are first used (PEP 562), so that ``import jungle`` costs nothing and
``jungle --help`` loads no torch. Their types are in ``__init__.pyi``.
"""

from importlib import import_module

_MODULES = {
    "DenoisingStep": "models",
    "ImageModel": "models",
    "JungleError": "",
    "Language": "languages",
    "RenderedPostcard": "cards",
    "Sound": "models",
    "SoundModel": "models",
    "TrainingStep": "training",
    "evaluate": "training",
    "make_postcard": "cards",
    "master": "models",
    "sample": "models",
    "train": "training",
}
"""Public name -> module of ``jungle.api`` that defines it; "" = ``jungle.errors``."""

__all__ = sorted(["__version__", *_MODULES])

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'jungle' has no attribute '{name}'")
    module = f"jungle.api.{_MODULES[name]}" if _MODULES[name] else "jungle.errors"
    value = getattr(import_module(module), name)

    # Kept, so that the next access is an ordinary one.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
