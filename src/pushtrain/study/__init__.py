"""The study of a run: what to try next, and what was learnt."""

from optuna.logging import WARNING, disable_default_handler, enable_propagation, set_verbosity

from pushtrain.study.memory import Memory, study_path
from pushtrain.study.searcher import OptunaSearcher

__all__ = ["Memory", "OptunaSearcher", "study_path"]

# Optuna prints to stderr by itself; only the command line does that here.
disable_default_handler()
enable_propagation()
set_verbosity(WARNING)
