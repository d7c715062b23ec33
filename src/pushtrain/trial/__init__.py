"""Training trials in containers: the driver's side of the warm worker."""

from pushtrain.trial.session import Patience
from pushtrain.trial.trainer import ContainerTrainer, Job

__all__ = ["ContainerTrainer", "Job", "Patience"]
