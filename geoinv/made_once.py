"""A property that is made once, also where several threads ask for it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, overload

T = TypeVar("T")


class made_once(cached_property[T]):  # noqa: N801, lower case like the property that it is
    """``functools.cached_property`` with a lock, which that has lost in Python 3.12: models that take seconds to load
    are loaded once, and all threads share them."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        super().__init__(make)
        self._making = threading.RLock()

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> made_once[T]: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> made_once[T] | T:
        if instance is None:
            return self
        with self._making:
            return super().__get__(instance, owner)
