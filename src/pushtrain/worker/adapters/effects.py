"""What a call changes in the objects that it can reach: taken down after it, and done again.

A model's `fit` changes the model, what the model holds (a pipeline's steps, a `RandomState`) and
the global generators; whoever else holds one of these objects sees the change. So what was there
before the call is changed in its place when the effects are done again, and only what the call
made is made anew. What a call can reach is learnt from pickling it: every object that is met has a
number, which is the same in each process that has come to this call in the same way.

What cannot be told from outside raises Unsavable: the call is computed then, which is always right.
"""

from __future__ import annotations

import copyreg
import hashlib
import io
import pickle
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pushtrain.worker.adapters import contents, interned

_PROTOCOL = 4
"""Arrays that the later one reads do not lie in memory of NumPy's own."""
_MOST_OBJECTS = 500_000
"""Objects of a call that are numbered, which takes about a hundred bytes each."""
_OURS = (contents.seen_through, contents.set_attributes)


class Unsavable(Exception):
    """The effects of a call are not all to be seen, or are too large."""


class Before:
    """What a call could reach before it began.

    Args:
        model: the object whose method is called, None for a function.
        arguments: all others; they must come out of the call as they went in.
        is_unfit: whether objects of a module may do more than can be seen, by its name.

    Attributes:
        digest: of all of it: a call with the same one does the same.

    Raises:
        Unsavable: something in it is unfit.
        Exception: whatever pickling makes of what cannot be pickled.
    """

    def __init__(self, model: Any, arguments: Any, is_unfit: Callable[[str], bool]) -> None:
        self.objects: list[Any] = []  # kept alive, so that no other object gets the id of one
        self.numbers: dict[int, int] = {}
        self.owners: dict[int, int] = {}
        """Numbers of arrays by the id of the array whose memory they look at."""
        self.is_unfit = is_unfit
        self._identities = hashlib.blake2b(digest_size=16)
        self._arguments = arguments
        self._given = _Hasher(self, numbers=True).of(arguments)
        first = len(self.objects)
        reached = [random._inst, sys.modules["numpy"].random.mtrand._rand, model]
        own = _Hasher(self, numbers=True).of(reached)
        if model is not None and not contents.can_change(model):
            raise Unsavable(f"a {type(model).__name__} cannot be changed from outside")
        self.digest = f"{self._given}{own}{self._identities.hexdigest()}"
        self._contents = [
            (number, contents.Snapshot(self.objects[number]))
            for number in range(first, len(self.objects))
            if contents.can_change(self.objects[number])
        ]

    def number(self, thing: Any) -> None:
        """Gives an object its number; which ones are one and the same is part of the digest."""
        known = self.numbers.setdefault(id(thing), len(self.objects))
        self._identities.update(known.to_bytes(4, "little"))
        if known == len(self.objects):
            if contents.is_array(thing):
                self.owners.setdefault(id(contents.owner(thing)), len(self.objects))
            self.objects.append(thing)
            if len(self.objects) > _MOST_OBJECTS:
                raise Unsavable("there are too many objects in it")

    def after(self, result: Any, most: int) -> bytes:
        """What the call has changed, and its result.

        Args:
            result: what it returned.
            most: bytes of what is given back.

        Raises:
            Unsavable: it has changed its arguments, or takes too much room.
            Exception: whatever pickling makes of what cannot be pickled.
        """
        if _Hasher(self, numbers=False).of(self._arguments) != self._given:
            raise Unsavable("it changed its arguments")
        file = _Bounded(most)
        taker = _Taker(file, self)
        taker.dump(result)
        for number, snapshot in self._contents:
            thing = self.objects[number]
            if not snapshot.is_of(thing):
                file.check(getattr(thing, "nbytes", 0))  # before it is copied
                taker.dump((number, contents.content(thing)))
        taker.dump(None)
        return file.getvalue()

    def effects(self, taken: bytes | memoryview) -> Effects:
        """What was taken down of the same call in another process; nothing is changed yet.

        Raises:
            Exception: whatever reading something else raises.
        """
        loader = _Loader(io.BytesIO(taken), self.objects)
        result = loader.load()
        changes = []
        while (change := loader.load()) is not None:
            number, content = change
            contents.check(self.objects[number], content)
            changes.append((self.objects[number], content))
        return Effects(result, changes)


class Effects:
    """What a call does.

    Args:
        result: what it returns.
        changes: what was there before, and what becomes of it.
    """

    def __init__(self, result: Any, changes: Sequence[tuple[Any, Any]]) -> None:
        self._result = result
        self._changes = changes

    def happen(self) -> Any:
        """Does it, and gives what the call would."""
        for thing, content in self._changes:
            contents.put(thing, content)
        return self._result


class _Watcher(pickle.Pickler):
    """A pickler that refuses what may do more than can be seen."""

    def __init__(self, before: Before, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._before = before
        self._fit: set[type] = set()

    def check(self, thing: Any) -> None:
        """Raises Unsavable for an object whose class, or which itself, is unfit."""
        kind = type(thing)
        if kind not in self._fit:
            self._refuse(kind)
            self._fit.add(kind)
        if contents.is_reference(kind) and thing not in _OURS:
            self._refuse(thing)

    def _refuse(self, named: Any) -> None:
        if self._before.is_unfit(str(getattr(named, "__module__", None) or "")):
            raise Unsavable(f"{named} may do more than can be seen")


class _Hasher(_Watcher):
    """Hashes what can be reached, whoever shares what, and gives it numbers if need be."""

    def __init__(self, before: Before, *, numbers: bool) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        super().__init__(before, self, 5, buffer_callback=self._take)
        self._numbers = numbers
        self.fast = True  # without a memo: whether equal objects are one makes no difference

    def of(self, thing: Any) -> str:
        """The hash."""
        self.dump(thing)
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """What the pickler writes."""
        self._hash.update(data)

    def persistent_id(self, thing: Any) -> None:
        """Nothing; every object that is met comes by here."""
        self.check(thing)
        if self._numbers and contents.has_identity(type(thing)):
            self._before.number(thing)

    def _take(self, buffer: pickle.PickleBuffer) -> None:
        self._hash.update(buffer.raw())


class _Taker(_Watcher):
    """Pickles what a call has made, with the numbers of what was there before."""

    def __init__(self, file: Any, before: Before) -> None:
        super().__init__(before, file, _PROTOCOL)

    def persistent_id(self, thing: Any) -> Any:
        """How an object is named where the effects are done again; None to make it anew."""
        self.check(thing)
        number = self._before.numbers.get(id(thing))
        if number is not None:
            return number
        if contents.is_array(thing):
            window = contents.window(thing)
            number = self._before.owners.get(id(contents.owner(thing)))
            return None if window is None or number is None else (number, window)
        return interned.name_of(thing)

    def reducer_override(self, thing: Any) -> Any:
        """How an object is made anew where its own way forgets a part of it."""
        if contents.is_array(thing):
            window = contents.window(thing)
            if window is not None:
                return contents.seen_through, (contents.owner(thing), window)
        if type(thing) is sys.modules["sklearn.utils"].Bunch:
            made = copyreg.__newobj__, (type(thing),)  # type: ignore[attr-defined]
            return *made, vars(thing), None, iter(thing.items()), contents.set_attributes
        return NotImplemented


class _Loader(pickle.Unpickler):
    """Reads what a `_Taker` has written."""

    def __init__(self, file: Any, objects: list[Any]) -> None:
        super().__init__(file)
        self._objects = objects

    def persistent_load(self, identity: Any) -> Any:
        """The object of that name."""
        if isinstance(identity, (str, bytes)):
            return interned.of_name(identity)
        if isinstance(identity, tuple):
            return contents.seen_through(self._objects[identity[0]], identity[1])
        return self._objects[identity]


class _Bounded(io.BytesIO):
    """A file of at most so many bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def check(self, size: int) -> None:
        """Raises Unsavable where so many more bytes are too many."""
        if self.tell() + size > self._most:
            raise Unsavable(f"more than {self._most} bytes")

    def write(self, data: Any) -> int:
        """As any file, unless that is too much."""
        self.check(len(data))
        return super().write(data)
