"""Where things stand: from a snapshot to coordinates, for every picture of the routing graph.

`parts` says what stands there and how much room it takes, `order` who stands above whom, `rows` at which
height, `routes` where the lines run; `arrangement` is the result, and `words` measures the texts.
"""

from .arrangement import MARGIN, Edge, Layout, Node, Point, arrange

__all__ = ["MARGIN", "Edge", "Layout", "Node", "Point", "arrange"]
