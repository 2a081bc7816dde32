"""The errors of the lab. Every message is one line that a person can act on."""


class LabError(Exception):
    """Base class. ``str(error)`` is one line, fit for stderr."""


class LabUnsaved(LabError):
    """The lab has stopped and could not save its tables."""


class LabNotRunning(LabError):
    """No lab answers in the given directory."""


class LabStopping(LabError):
    """The lab was stopped in the middle of an operation, which is given up."""


class FaultRefused(LabError):
    """A fault cannot be set or cleared. Nothing was changed."""


class LayerTaken(FaultRefused):
    """Another fault is in force in that layer of the region."""


class ReplicaDown(LabError):
    """An engine did not answer, or answered with an error of its own."""


class CursorLost(LabError):
    """A stream iterator expired or its records are gone.

    Only a scan can find the changes that were missed.
    """
