"""One trial, from its order to its result: laid out, forked, watched over, and brought together."""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path
from typing import NoReturn

from pushtrain.worker import leftovers, orders, trees
from pushtrain.worker.adaptation import Adaptation
from pushtrain.worker.child import Child
from pushtrain.worker.disk import Disk
from pushtrain.worker.events import Events, encode
from pushtrain.worker.log import Log
from pushtrain.worker.orders import Configuration, Order, Places
from pushtrain.worker.outcome import Ending, Outcome
from pushtrain.worker.output import Output
from pushtrain.worker.printed import Printed
from pushtrain.worker.supervision import Pipes, Supervision


class Trial:
    """Trains one order; used once."""

    def __init__(
        self,
        places: Places,
        configuration: Configuration,
        events: Events,
        adaptation: Adaptation,
        order: Order,
        *,
        changed: Path,
    ) -> None:
        self._places = places
        self._configuration = configuration
        self._events = events
        self._adaptation = adaptation
        self._order = order
        self._changed = changed
        self._folder = places.trial(order.trial)
        self._outcome = Outcome(order)
        self._printed = Printed()
        self._log = Log(configuration.log, self._on_text)

    def run(self) -> bool:
        """Trains it to its end and says what came of it; True if the worker is to end as well.

        Raises:
            Meddled: the script has reached for the worker, which can train nothing more.
        """
        order = self._order
        leftovers.remove(self._places, order)
        known = orders.prepare(self._places, order, self._changed)
        self._events.say("trial_started", trial=order.trial, attempt=order.attempt)
        condition = leftovers.condition()
        disk = Disk(self._places, self._configuration.disk)
        began = time.monotonic()
        pipes = Pipes()
        supervision = Supervision(
            process=self._fork(pipes),
            pipes=pipes,
            order=order,
            configuration=self._configuration,
            events=self._events,
            outcome=self._outcome,
            log=self._log,
            disk=disk,
        )
        ending = supervision.run()
        pipes.close()
        if condition != leftovers.condition():
            raise leftovers.Meddled("the script has changed its worker's limits or priority")
        self._outcome.lasted(time.monotonic() - began)
        self._bring_together(ending, known)
        return supervision.ends_worker

    def _fork(self, pipes: Pipes) -> int:
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Frameworks have started threads. Each trial shows that none of them is missed.
            warnings.simplefilter("ignore")
            process = os.fork()
        if process == 0:
            self._become_child(pipes)
        pipes.keep_ours()
        return process

    def _become_child(self, pipes: Pipes) -> NoReturn:
        pipes.keep_childs()
        self._events.close()
        Child(
            order=self._order,
            folder=self._folder,
            checkpoints=self._places.checkpoint(self._order.trial),
            library=sys.path[0],
            output=pipes.child_output,
            channel=pipes.child_messages,
            adaptation=self._adaptation,
            disk=self._configuration.disk,
        ).run()

    def _on_text(self, text: str) -> None:
        self._printed.feed(text)
        self._events.say("log", trial=self._order.trial, text=text)

    def _bring_together(self, ending: Ending, known: dict[str, trees.Stamp]) -> None:
        outcome = self._outcome
        output = Output(self._places.trials, self._folder, known)
        for metric, value, source in output.reported(self._order.workdir):
            outcome.measure(metric, value, "reported", source)
        printed = self._printed.measurements(outcome.measured_on_training_data, outcome.trained)
        for metric, value, source in printed:
            outcome.measure(metric, value, "printed", source)
        if not ending.disk_exceeded:  # a trial that is over its limit leaves nothing
            outcome.refuse(output.collect(self._configuration.disk))
        outcome.keep_model_if(output.holds)
        log = {"bytes": self._log.bytes, "dropped": self._log.dropped}
        result = outcome.result(ending, log, output.files())
        output.publish(encode(result))
        self._events.say("trial_ended", trial=self._order.trial, result=result)
