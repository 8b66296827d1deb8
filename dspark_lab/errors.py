"""What is said to people: one exception for everything they can put right, one warning for what they should know.

A message names the value, the limit and the remedy.
"""


class LabError(ValueError):
    """Bad input or a missing part. ``str(error)`` is fit to be shown to the person as it is."""


class LabNote(UserWarning):
    """Something was done otherwise than asked for. ``str(note)`` is fit to be shown to the person as it is."""
