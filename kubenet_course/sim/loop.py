"""The virtual clock and everything that waits on it.

One `Loop` is one simulation: its clock (integer nanoseconds), its randomness and its tasks.
Nothing here reads the computer's clock or sleeps; time passes only when every task waits, and
then jumps to the next timer. Events of the same instant run in the order they were made (FIFO),
so a run with the same seed is the same run, byte for byte.

    loop = Loop(seed=1)
    task = loop.spawn(program())        # any `async def` that awaits only this module's futures
    loop.run_until(task)                # runs others too, returns task.result()

Two queues: `call_soon` (the kernel's softirq: packets on their way) and a heap of timers. Work that
takes time on a real computer may move the clock itself, by adding to `now` (a host takes some
microseconds for each packet); a timer that was due meanwhile is then late, as on a busy machine.
A task is resumed through `call_soon`, so a waker never runs the woken task's code inside its own call.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
MICROSECOND = 1_000
LONG = 1000  # events
SWEEP = 256  # timers, at least, before those that were cancelled are looked for

#: The date on every lab's wall clock when it starts: 2026-01-01 00:00:00 UTC, in ns since 1970.
EPOCH = 1_767_225_600 * SECOND


class Cancelled(BaseException):
    """Thrown into a task that is being ended; a task may clean up, then must let it pass."""


class TimeoutExpired(Exception):
    """`Loop.wait_for` gave up: the virtual time allowed had passed."""


class Stopped(Exception):
    """`run_until` ended between two events, because `Loop.stopping` had been set."""


class Deadlock(Exception):
    """`run_until` was asked to wait for something that no event can bring about any more."""


class Timer:
    """A callback due at `when`; `cancel()` makes it never run."""

    __slots__ = ("when", "callback", "args")

    def __init__(self, when: int, callback: Callable[..., object], args: tuple):
        self.when = when
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None
        self.args = ()

    @property
    def active(self) -> bool:
        return self.callback is not None


class Future(Generic[T]):
    """A value that comes later. Awaiting it suspends the task until it is set."""

    __slots__ = ("loop", "_done", "_result", "_exception", "_callbacks")

    def __init__(self, loop: Loop):
        self.loop = loop
        self._done = False
        self._result: Any = None
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[Future], object]] = []

    def done(self) -> bool:
        return self._done

    def result(self) -> T:
        if not self._done:
            raise RuntimeError("the future has no result yet")
        if self._exception is not None:
            raise self._exception
        return self._result

    def set_result(self, value: T) -> None:
        """Set the value; a second setting is ignored (a timeout and an answer may race)."""
        if not self._done:
            self._result = value
            self._finish()

    def set_exception(self, error: BaseException) -> None:
        if not self._done:
            self._exception = error
            self._finish()

    def add_done_callback(self, callback: Callable[[Future], object]) -> None:
        if self._done:
            self.loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def remove_done_callback(self, callback: Callable[[Future], object]) -> None:
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def _finish(self) -> None:
        self._done = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self.loop.call_soon(callback, self)

    def __await__(self) -> Generator[Future, None, T]:
        if not self._done:
            yield self
        return self.result()


class Task(Future[T]):
    """A running coroutine; as a Future it is done when the coroutine has returned."""

    __slots__ = ("name", "_coro", "_held", "_waiting")

    def __init__(self, loop: Loop, coro: Coroutine[Any, Any, T], name: str):
        super().__init__(loop)
        self.name = name
        self._coro = coro
        self._waiting: Future | None = None
        self._held: list[BaseException | None] | None = None
        loop.call_soon(self._step, None)

    def hold(self) -> None:
        """Do not run the coroutine until `release` (a stopped process); what wakes it meanwhile is kept."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        kept, self._held = self._held or [], None
        for error in kept:
            self.loop.call_soon(self._step, error)

    def cancel(self) -> None:
        """Throw Cancelled into the coroutine at the point where it waits."""
        self.throw(Cancelled())

    def throw(self, error: BaseException) -> None:
        """Throw `error` into the coroutine at the point where it waits (a signal does this)."""
        if self._done:
            return
        if self._waiting is not None:
            self._waiting.remove_done_callback(self._wakeup)
            self._waiting = None
        self.loop.call_soon(self._step, error)

    def _wakeup(self, future: Future) -> None:
        if self._waiting is future:
            self._waiting = None
            self._step(None)

    def _step(self, error: BaseException | None) -> None:
        if self._done:
            return
        if self._held is not None and not isinstance(error, Cancelled):
            self._held.append(error)
            return
        if error is not None and self._waiting is not None:
            self._waiting.remove_done_callback(self._wakeup)
            self._waiting = None
        try:
            waiting = self._coro.throw(error) if error is not None else self._coro.send(None)
        except StopIteration as stop:
            self.set_result(stop.value)
        except Cancelled as cancelled:
            self.set_exception(cancelled)
        except Exception as failure:  # noqa: BLE001 — whoever awaits the task gets it
            self.set_exception(failure)
        else:
            self._waiting = waiting
            waiting.add_done_callback(self._wakeup)


class Loop:
    """One simulation's clock, queue of events and source of randomness.

    `now` is nanoseconds since the simulation began. `tracer` is None, or an object with
    `record(...)` that new packets are handed to (see `sim/trace.py`).
    """

    def __init__(self, seed: int = 0):
        self.now = 0
        #: Set from outside (a signal's handler): `run_until` ends before its next event.
        self.stopping = False
        self.random = random.Random(seed)
        self.tracer: Any = None
        self.skb_ledger: Any = None
        self._soon: deque[tuple[Callable[..., object], tuple]] = deque()
        self._timers: list[tuple[int, int, Timer]] = []
        self._sequence = 0
        self._sweep_at = SWEEP

    # -- making events ----------------------------------------------------------------------
    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """Run `callback(*args)` at this same instant, after what is already queued."""
        self._soon.append((callback, args))

    def call_later(self, delay: int, callback: Callable[..., object], *args: object) -> Timer:
        """Run `callback(*args)` after `delay` ns of virtual time."""
        return self.call_at(self.now + max(0, int(delay)), callback, *args)

    def call_at(self, when: int, callback: Callable[..., object], *args: object) -> Timer:
        timer = Timer(when, callback, args)
        self._sequence += 1
        heappush(self._timers, (when, self._sequence, timer))
        if len(self._timers) > self._sweep_at:
            self._sweep()
        return timer

    def _sweep(self) -> None:
        """Forget the timers that were cancelled: those of programs long gone may be due in a minute."""
        self._timers[:] = [entry for entry in self._timers if entry[2].callback is not None]
        heapify(self._timers)
        self._sweep_at = max(SWEEP, 2 * len(self._timers))

    def spawn(self, coro: Coroutine[Any, Any, T], name: str = "") -> Task[T]:
        return Task(self, coro, name)

    def future(self) -> Future[Any]:
        return Future(self)

    def sleep(self, delay: int) -> Future[None]:
        """A future that is done after `delay` ns: ``await loop.sleep(3 * SECOND)``."""
        future: Future[None] = Future(self)
        self.call_later(delay, future.set_result, None)
        return future

    async def wait_for(self, awaitable: Awaitable[T], timeout: int | None) -> T:
        """The awaitable's value, or TimeoutExpired after `timeout` ns (None waits for ever).

        A Future that times out is left alone; a coroutine is cancelled.
        """
        if timeout is None:
            return await awaitable
        own = not isinstance(awaitable, Future)
        inner = self.spawn(awaitable) if own else awaitable  # type: ignore[arg-type]
        gate: Future[None] = Future(self)

        def open_gate(_: Future) -> None:
            gate.set_result(None)

        timer = self.call_later(timeout, gate.set_result, None)
        inner.add_done_callback(open_gate)  # type: ignore[union-attr]
        try:
            await gate
        finally:
            timer.cancel()
            inner.remove_done_callback(open_gate)  # type: ignore[union-attr]
            if own and not inner.done():  # type: ignore[union-attr]
                inner.cancel()  # type: ignore[union-attr]
        if not inner.done():  # type: ignore[union-attr]
            raise TimeoutExpired
        return inner.result()  # type: ignore[union-attr]

    # -- running ----------------------------------------------------------------------------
    def run_soon(self) -> None:
        """Run every event of this instant, and those they make."""
        soon = self._soon
        while soon:
            callback, args = soon.popleft()
            callback(*args)

    def run_until(
        self, future: Future[T], limit: int | None = None, on_long: Callable[[], object] | None = None
    ) -> T:
        """Run until `future` is done and return its result.

        `limit`: at most so many ns of virtual time, then TimeoutExpired. Deadlock if nothing is
        left that could finish it. Stopped if `stopping` is set meanwhile; `on_long` is called when more
        than LONG events have run, that is after some milliseconds of real time.
        """
        end = None if limit is None else self.now + limit
        soon = self._soon
        while not future._done:
            for _ in range(LONG):
                if soon:
                    callback, args = soon.popleft()
                    callback(*args)
                elif not self._advance(end):
                    if end is not None and self._timers:
                        self.now = max(self.now, end)
                        raise TimeoutExpired
                    raise Deadlock("nothing is left to wait for")
                if self.stopping:
                    raise Stopped
                if future._done:
                    break
            else:
                if on_long is not None:
                    on_long()
                    on_long = None
        return future.result()

    def run_for(self, duration: int) -> None:
        """Let `duration` ns of virtual time pass."""
        end = self.now + duration
        while self._advance(end):
            pass
        self.now = max(self.now, end)

    def _advance(self, end: int | None) -> bool:
        """Run one batch: all events of this instant, else the next timer. False: none left."""
        if self._soon:
            soon = self._soon
            callback, args = soon.popleft()
            callback(*args)
            return True
        timers = self._timers
        while timers and timers[0][2].callback is None:
            heappop(timers)
        if not timers or (end is not None and timers[0][0] > end):
            return False
        when, _, timer = heappop(timers)
        if when > self.now:
            self.now = when
        callback, args = timer.callback, timer.args  # type: ignore[assignment]
        timer.callback = None
        callback(*args)  # type: ignore[misc]
        return True


class Queue(Generic[T]):
    """First in, first out, between tasks: `put` never waits, `get` does."""

    def __init__(self, loop: Loop):
        self.loop = loop
        self.items: deque[T] = deque()
        self._getters: deque[Future[None]] = deque()

    def put(self, item: T) -> None:
        self.items.append(item)
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                break

    async def get(self) -> T:
        while not self.items:
            getter: Future[None] = Future(self.loop)
            self._getters.append(getter)
            await getter
        return self.items.popleft()


class Signal:
    """A condition many tasks may wait for: `await signal.wait()`, `signal.notify()` wakes all."""

    def __init__(self, loop: Loop):
        self.loop = loop
        self._waiters: list[Future[None]] = []

    def wait(self) -> Future[None]:
        future: Future[None] = Future(self.loop)
        self._waiters.append(future)
        return future

    def notify(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set_result(None)
