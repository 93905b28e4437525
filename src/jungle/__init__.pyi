# The types of the public names, which __init__.py loads lazily. tests/api checks that both agree.

from .api.cards import RenderedPostcard as RenderedPostcard
from .api.cards import make_postcard as make_postcard
from .api.languages import Language as Language
from .api.models import DenoisingStep as DenoisingStep
from .api.models import ImageModel as ImageModel
from .api.models import Sound as Sound
from .api.models import SoundModel as SoundModel
from .api.models import master as master
from .api.models import sample as sample
from .api.training import TrainingStep as TrainingStep
from .api.training import evaluate as evaluate
from .api.training import train as train
from .errors import JungleError as JungleError

__all__ = [
    "DenoisingStep",
    "ImageModel",
    "JungleError",
    "Language",
    "RenderedPostcard",
    "Sound",
    "SoundModel",
    "TrainingStep",
    "__version__",
    "evaluate",
    "make_postcard",
    "master",
    "sample",
    "train",
]

__version__: str
