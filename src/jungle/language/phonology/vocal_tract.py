"""What a body can say. A voice decides the segments, tones, clicks and trills of a language, and
its tempo and breath.
"""

import dataclasses
from dataclasses import dataclass

from ...errors import BadInput


@dataclass(frozen=True, kw_only=True, slots=True)
class VocalTract:
    """A vocal tract in a dozen numbers, each from 0 (cannot) to 1 (excels) where no unit is
    given.
    """

    name: str
    pitch: float  # Hz, the usual fundamental
    span: float  # octaves it moves through
    tempo: float  # syllables a second
    breath: int  # syllables in one breath
    lips: float  # closes or rounds lips: p b m w
    tongue: float  # fine movements of the tongue tip: t s l
    throat: float  # makes sounds far back: k q h
    nose: float  # lets air through the nose: m n
    noise: float  # hisses and rasps: s sh x
    tone: float  # whistles clear tones: pitch carries meaning
    pulse: float  # trills and growls: r rh
    click: float  # clicks without breath
    depth: float  # 0 small and high (i e), 1 large and low (u o)

    def __post_init__(self) -> None:
        for name in AXES:
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(
                    f"The voice {self.name!r} has {name} = {getattr(self, name)!r}: give a number "
                    "from 0 to 1."
                )

        for name, low, high in (
            ("pitch", 5, 100_000),
            ("span", 0.05, 6),
            ("tempo", 0.5, 20),
            ("breath", 6, 40),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadInput(
                    f"The voice {self.name!r} has {name} = {getattr(self, name)!r}: give a number "
                    f"from {low} to {high}."
                )


AXES = ("lips", "tongue", "throat", "nose", "noise", "tone", "pulse", "click", "depth")


def _voice(
    name: str, pitch: float, span: float, tempo: float, breath: int, *axes: float
) -> VocalTract:
    return VocalTract(
        name=name,
        pitch=pitch,
        span=span,
        tempo=tempo,
        breath=breath,
        **dict(zip(AXES, axes, strict=True)),
    )


# Pitch, tempo and what each body lacks: Fitch 2006 (Production of vocalizations in mammals),
# Suthers 2004 (birds), Gerhardt and Huber
# 2002 (frogs and insects), Au and Hastings 2008 (whales). The axes are our own reading of them, as
# coarse as they look.
VOICES = {
    voice.name: voice
    for voice in (
        # name      Hz   oct  tempo breath lips tongue throat nose noise tone pulse click depth
        _voice(
            "songbird", 3500, 2.0, 6.5, 22, 0.00, 0.95, 0.40, 0.05, 0.30, 1.00, 0.30, 0.05, 0.05
        ),
        _voice("parrot", 1400, 2.0, 5.5, 22, 0.30, 0.95, 0.75, 0.25, 0.65, 0.25, 0.90, 0.30, 0.35),
        _voice("cat", 150, 1.5, 3.8, 16, 0.60, 0.15, 0.85, 0.80, 0.35, 0.10, 1.00, 0.00, 0.85),
        _voice("herd", 180, 1.0, 4.2, 18, 0.95, 0.10, 0.35, 1.00, 0.25, 0.05, 0.10, 0.00, 0.70),
        _voice("frog", 700, 0.8, 6.0, 18, 0.70, 0.00, 1.00, 0.45, 0.00, 0.10, 0.85, 0.20, 0.95),
        _voice("insect", 4500, 0.6, 8.0, 22, 0.00, 0.50, 0.10, 0.00, 1.00, 0.10, 0.55, 0.90, 0.10),
        _voice("whale", 300, 3.0, 3.2, 14, 0.00, 0.05, 0.45, 0.85, 0.10, 1.00, 0.10, 1.00, 0.60),
        _voice("rodent", 5000, 1.5, 8.0, 22, 0.45, 0.75, 0.20, 0.60, 0.65, 0.15, 0.05, 0.25, 0.00),
        _voice("primate", 450, 2.0, 5.0, 20, 0.95, 0.40, 0.95, 0.50, 0.35, 0.25, 0.10, 0.10, 0.55),
        _voice("reptile", 250, 0.5, 4.0, 16, 0.05, 0.45, 0.95, 0.00, 1.00, 0.00, 0.05, 0.05, 0.55),
    )
}


def voice_named(name: str) -> VocalTract:
    """The voice of :data:`VOICES` with this name.

    Raises:
        BadInput: there is none.
    """
    if name not in VOICES:
        raise BadInput(f"There is no voice {name!r}: choose one of {', '.join(VOICES)}.")
    return VOICES[name]


def measured_voice(
    name: str, like: VocalTract, *, pitch: float, tonality: float, flatness: float, pulses: float
) -> VocalTract:
    """The voice of one animal: the body of ``like``, moved by what was measured in a recording of
    its call.

    Args:
        name: what to call it.
        like: the body whose lips, tongue and nose it has: a call does not tell of them.
        pitch: median fundamental in Hz.
        tonality: share of the energy in the harmonics, 0 to 1.
        flatness: spectral flatness, 0 (a tone) to 1 (white noise).
        pulses: peak of the modulation of the envelope in Hz, 0 for none.

    Raises:
        BadInput: a number is out of its range.
    """

    def between(old: float, new: float) -> float:
        return round((old + min(max(new, 0.0), 1.0)) / 2, 4)

    depth = 1 - min(max((pitch / 100) ** 0.25 - 1, 0.0), 1.0)  # 100 Hz is deep, 1600 Hz is not
    return dataclasses.replace(
        like,
        name=name,
        pitch=pitch,
        tone=between(like.tone, tonality),
        noise=between(like.noise, flatness * 2),
        pulse=between(like.pulse, pulses / 30),
        depth=between(like.depth, depth),
    )
