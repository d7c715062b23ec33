"""Knobs: the hyperparameters that stand in a source as literals, found and turned.

`find_knobs` reads them from the code, `SourceRewriter` puts other values in their place, `patch`
writes the difference for people and for `git apply`. `tidy` rounds a float before it is proposed.
"""

from pushtrain.knobs.finder import find_knobs
from pushtrain.knobs.patch import patch
from pushtrain.knobs.ranges import tidy
from pushtrain.knobs.rewriter import SourceRewriter, validate

__all__ = ["SourceRewriter", "find_knobs", "patch", "tidy", "validate"]
