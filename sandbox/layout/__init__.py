"""Where things stand: from a snapshot to coordinates, for every picture of the routing graph.

`measures` are the lengths of a wide and a narrow picture.  `notes` are the words beside each thing, `parts`
says how much room it takes, `links` which lines there are: that is the `graph`.  `order` says who stands
above whom, `rows` at which height, `routes` where the lines run; `arrangement` is the result, and `words`
measures the texts.  Of a large broker, `neighbourhood` shows a part.
"""

from .arrangement import MARGIN, Edge, Layout, Node, Point, arrange
from .measures import NARROW, WIDE, Measures
from .neighbourhood import Fold, Neighbourhood, neighbourhood

__all__ = [
    "MARGIN",
    "NARROW",
    "WIDE",
    "Edge",
    "Fold",
    "Layout",
    "Measures",
    "Neighbourhood",
    "Node",
    "Point",
    "arrange",
    "neighbourhood",
]
