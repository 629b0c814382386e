"""The one exception that users are meant to see."""


class PinchError(Exception):
    """What is wrong, where (file, line, id or config key) and what to do, in one line."""
