"""Sources: what was pushed, checked out where nothing else writes."""

from pushtrain.source.checkout import checkout
from pushtrain.source.data import fingerprint
from pushtrain.source.location import identity
from pushtrain.source.origin import pushed
from pushtrain.source.tree import Cap
from pushtrain.source.tuned import commit_patch

__all__ = ["Cap", "checkout", "commit_patch", "fingerprint", "identity", "pushed"]
