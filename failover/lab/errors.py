"""What can go wrong in the lab; every message is one line that a person can act on."""


class LabError(Exception):
    """The lab cannot do what was asked. ``str(error)`` is one line, fit for stderr."""


class LabUnsaved(LabError):
    """The lab stopped, and could not save its tables."""


class LabNotRunning(LabError):
    """No lab answers in the given directory."""


class LabStopping(LabError):
    """The lab was told to stop while it was still doing something."""


class FaultRefused(LabError):
    """A fault that cannot be set or cleared; nothing was changed."""


class ReplicaDown(LabError):
    """An engine did not answer, or answered with an error of its own."""


class CursorLost(LabError):
    """A stream iterator expired or its records are gone: only a scan can tell what was missed."""
