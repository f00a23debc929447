"""An object that does harm when it is unpickled."""

from pathlib import Path


class Bomb:
    """Makes the folder ``mark`` when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.mkdir, (self.mark,)
