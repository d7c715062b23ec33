"""Training trials in containers: the driver's side of the warm worker."""

from pushtrain.trial.job import Job, Patience
from pushtrain.trial.startup import remove_leftovers
from pushtrain.trial.trainer import ContainerTrainer

__all__ = ["ContainerTrainer", "Job", "Patience", "remove_leftovers"]
