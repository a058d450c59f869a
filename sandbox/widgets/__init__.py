"""Live views of a broker, and everything that is done with it by hand.

A `Player` reads the history and talks to the page; a `View` shows regions of the picture in a cell; the
`Dashboard` puts all regions and the forms together.
"""

from .dashboard import Dashboard
from .player import Player
from .view import View

__all__ = ["Dashboard", "Player", "View"]
