"""Training images: which one matches a detection, and making it where it does not exist."""

from pushtrain.images.builder import ImageBuilder
from pushtrain.images.catalog import Catalog
from pushtrain.images.machine import Machine
from pushtrain.images.planner import Planner

__all__ = ["Catalog", "ImageBuilder", "Machine", "Planner"]
