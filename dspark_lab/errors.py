"""One exception for everything a person can put right: the message names the value, the limit and the remedy."""


class LabError(ValueError):
    """Bad input or a missing part. ``str(error)`` is fit to be shown to the person as it is."""
