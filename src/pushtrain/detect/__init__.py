"""What a script or repository trains, read from its code without importing or running it.

Each framework is one module of rules and one file of data in `frameworks/`.
"""

from pushtrain.detect.detection import detect

__all__ = ["detect"]
