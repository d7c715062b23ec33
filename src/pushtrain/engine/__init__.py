"""The Docker Engine, by its SDK."""

from pushtrain.engine.deferred import defer

defer("paramiko")  # the SDK imports it for every address, and needs it for those of SSH alone
