"""Every way medrecon can refuse, and the exit code each one becomes.

    MedreconError                      1   a bug of ours, when raised bare
    ├── UsageError                     2   [usage]
    │   └── SeriesTieError             2   [series-tie]
    ├── NoSeriesError                  3   [no-series]
    ├── DamagedInputError              4   [damaged]
    │   ├── GeometryError              4   [geometry]
    │   │   ├── GapError               4   [gap]
    │   │   ├── DuplicateSliceError    4   [duplicate]
    │   │   ├── MixedOrientationError  4   [mixed-orientation]
    │   │   └── MissingSpacingError    4   [no-spacing]
    │   ├── PixelDataError             4   [pixel-data]
    │   └── UnverifiedHuError          4   [hu]
    ├── UnreadableInputError           5   [unreadable]
    │   ├── UnsupportedEncodingError   5   [encoding]
    │   ├── ArchiveError               5   [archive]
    │   └── RemoteInputError           5   [remote-input]
    ├── OutputError                    6   [output]
    │   ├── OutputExistsError          6   [output-exists]
    │   └── RemoteOutputError          6   [remote-output]
    ├── ModelError                     7   [model]
    │   ├── ModelMissingError          7   [model-missing]
    │   ├── ModelUntrustedError        7   [model-untrusted]
    │   └── ModelHashError             7   [model-hash]
    ├── BatchError                     8   [batch]
    ├── ResourceError                  9   [resource]
    │   └── RenderingError             9   [rendering]
    └── QualityGateError              10   [quality]
        ├── AuditError                10   [audit]
        └── DifferenceError           10   [difference]

A message says what was found, what was expected and what to do, with numbers.
It never holds a traceback, a patient's name or the value of an identifying tag.
The code in brackets is stable: scripts may match it.
"""

from __future__ import annotations

from typing import ClassVar


class MedreconError(Exception):
    """Base of every error that medrecon raises on purpose.

    Attributes
    ----------
    code : str
        Stable short name of the kind, printed in brackets after the message.
    exit_code : int
        What the command line returns to the shell.
    """

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1


class UsageError(MedreconError):
    """The request cannot be understood or contradicts itself."""

    code = "usage"
    exit_code = 2


class SeriesTieError(UsageError):
    """Two series are equally good and nobody said which one."""

    code = "series-tie"


class NoSeriesError(MedreconError):
    """Nothing in the input is a volume: no images at all, or localizers only."""

    code = "no-series"
    exit_code = 3


class DamagedInputError(MedreconError):
    """The input is an image, but not one that can be trusted."""

    code = "damaged"
    exit_code = 4


class GeometryError(DamagedInputError):
    """The positions, orientations or spacings do not make one volume."""

    code = "geometry"


class GapError(GeometryError):
    """A slice is missing: a step that the slices' thickness does not explain."""

    code = "gap"


class DuplicateSliceError(GeometryError):
    """Two slices with different pixels claim one position."""

    code = "duplicate"


class MixedOrientationError(GeometryError):
    """Slices of one series look in different directions."""

    code = "mixed-orientation"


class MissingSpacingError(GeometryError):
    """The size of a pixel is not stated; medrecon never invents one."""

    code = "no-spacing"


class PixelDataError(DamagedInputError):
    """Pixel data are truncated, corrupt or do not fit their header."""

    code = "pixel-data"


class UnverifiedHuError(DamagedInputError):
    """Values are not proven to be Hounsfield units, and a preset needs them to be."""

    code = "hu"


class UnreadableInputError(MedreconError):
    """The input cannot be read: no permission, or not an image at all."""

    code = "unreadable"
    exit_code = 5


class UnsupportedEncodingError(UnreadableInputError):
    """A transfer syntax or pixel layout that medrecon does not decode."""

    code = "encoding"


class ArchiveError(UnreadableInputError):
    """An archive that is damaged, hostile or over its budget."""

    code = "archive"


class RemoteInputError(UnreadableInputError):
    """An archive on the network did not give what was asked for."""

    code = "remote-input"


class OutputError(MedreconError):
    """The output cannot be written."""

    code = "output"
    exit_code = 6


class OutputExistsError(OutputError):
    """The output is there already, and overwriting was not asked for."""

    code = "output-exists"


class RemoteOutputError(OutputError):
    """An archive on the network did not take what was sent."""

    code = "remote-output"


class ModelError(MedreconError):
    """A model cannot be used."""

    code = "model"
    exit_code = 7


class ModelMissingError(ModelError):
    """No model of that name is installed."""

    code = "model-missing"


class ModelUntrustedError(ModelError):
    """A model holds something that is not data, or is not meant for this image."""

    code = "model-untrusted"


class ModelHashError(ModelError):
    """A model's file is not the one its manifest describes."""

    code = "model-hash"


class BatchError(MedreconError):
    """Some studies of a batch failed."""

    code = "batch"
    exit_code = 8


class ResourceError(MedreconError):
    """Memory or time budget exceeded."""

    code = "resource"
    exit_code = 9


class RenderingError(ResourceError):
    """A machine that cannot draw: no OpenGL, no display, or the viewer is not installed."""

    code = "rendering"


class QualityGateError(MedreconError):
    """A mesh failed its quality gate; the files are written and say so."""

    code = "quality"
    exit_code = 10


class AuditError(QualityGateError):
    """Outputs hold what could be patient data."""

    code = "audit"


class DifferenceError(QualityGateError):
    """A repeated run did not give the same."""

    code = "difference"
