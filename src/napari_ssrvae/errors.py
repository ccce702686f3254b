"""Our exceptions: each message is one sentence to the person, naming what is wrong and what to do.

None of them is a `RuntimeError`: napari's generator workers swallow those (superqt treats a
`RuntimeError` in a generator as the end of the Qt application).
"""


class ParticleError(Exception):
    """Base of everything that this package raises on purpose."""


class InputError(ParticleError, ValueError):
    """An array, label image, table or setting that cannot be used as it is."""


class ReadError(ParticleError, ValueError):
    """A file that is missing, truncated, or not what it should be."""


class WriteError(ParticleError, ValueError):
    """A file or folder that cannot be written."""


class VersionError(ReadError):
    """A file that a version of this package wrote which knew more, or worked in another way."""


class NotFittedError(ParticleError, ValueError):
    """A model is asked for something before it was trained."""


class TrainingError(ParticleError):
    """Training could not go on (out of memory, diverging loss, ...)."""
