"""What a compiled train function draws from that no checkpoint can hold."""

from __future__ import annotations

from typing import Any

_DRAWS = {
    "Multinomial",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "TruncatedNormal",
}
"""Operations of TensorFlow that count what they have drawn inside themselves."""
_RUNS_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


def draws(train_function: Any) -> bool:
    """Whether a train function of TensorFlow draws from operations with a state of their own."""
    cells = getattr(train_function, "__closure__", None) or ()
    compiled = [cell.cell_contents for cell in cells]
    graphs = [
        concrete.graph
        for one in compiled
        if hasattr(one, "_list_all_concrete_functions")
        for concrete in one._list_all_concrete_functions()
    ]
    return any(_operations(graph) & _DRAWS for graph in graphs)


def runs_python(dataset: Any) -> bool:
    """Whether a tf.data pipeline calls Python code for its elements."""
    pending, seen = [dataset], set()
    while pending:
        stage = pending.pop()
        if id(stage) in seen:
            continue
        seen.add(id(stage))
        pending += stage._inputs()
        for wrapped in stage._functions():
            if _operations(wrapped.function.graph) & _RUNS_PYTHON:
                return True
    return False


def _operations(graph: Any) -> set[str]:
    found = graph.as_graph_def()
    nodes = [
        *found.node,
        *(node for function in found.library.function for node in function.node_def),
    ]
    return {node.op for node in nodes}
