"""pushtrain: `git push` a training script, get back a model that meets its accuracy target.

This module is also what a training script may import inside a training container, so it
imports the standard library only.
"""

from pushtrain.script import Checkpoint, checkpoint, report

__version__ = "0.1.0"
__all__ = ["Checkpoint", "__version__", "checkpoint", "report"]
