"""A structure found from a few clicks: for tumours, for which no model ships."""

from medrecon.segmentation.guided.clicks import Click, Guidance, stroke
from medrecon.segmentation.guided.following import Following
from medrecon.segmentation.guided.grow import Guided

__all__ = ["Click", "Following", "Guidance", "Guided", "stroke"]
