"""The virtual clock: order, waiting, cancelling, deadlocks."""

from __future__ import annotations

import pytest

from kubenet_course.sim.loop import SECOND, Cancelled, Deadlock, Loop, Queue, Signal, TimeoutExpired


def test_events_of_one_instant_run_in_the_order_they_were_made() -> None:
    loop, seen = Loop(), []
    for number in range(5):
        loop.call_later(SECOND, seen.append, number)
    loop.call_soon(seen.append, "now")
    loop.run_for(SECOND)
    assert seen == ["now", 0, 1, 2, 3, 4]
    assert loop.now == SECOND


def test_sleeping_costs_virtual_time_only() -> None:
    loop = Loop()

    async def program() -> int:
        await loop.sleep(3600 * SECOND)
        return loop.now

    assert loop.run_until(loop.spawn(program())) == 3600 * SECOND


def test_a_cancelled_timer_never_runs() -> None:
    loop, seen = Loop(), []
    timer = loop.call_later(1, seen.append, 1)
    timer.cancel()
    loop.run_for(10)
    assert seen == [] and not timer.active


def test_wait_for_gives_up_and_cancels_what_it_started() -> None:
    loop, seen = Loop(), []

    async def slow() -> None:
        try:
            await loop.sleep(10 * SECOND)
        except Cancelled:
            seen.append("cancelled")
            raise

    async def program() -> str:
        try:
            await loop.wait_for(slow(), SECOND)
        except TimeoutExpired:
            return "late"
        return "in time"

    assert loop.run_until(loop.spawn(program())) == "late"
    loop.run_soon()
    assert seen == ["cancelled"] and loop.now == SECOND


def test_waiting_for_what_cannot_come_is_a_deadlock() -> None:
    loop = Loop()
    with pytest.raises(Deadlock):
        loop.run_until(loop.future())


def test_run_until_stops_at_its_limit() -> None:
    loop = Loop()
    with pytest.raises(TimeoutExpired):
        loop.run_until(loop.sleep(5 * SECOND), limit=2 * SECOND)
    assert loop.now == 2 * SECOND


def test_a_queue_is_first_in_first_out_between_tasks() -> None:
    loop = Loop()
    queue: Queue[int] = Queue(loop)

    async def consumer() -> list[int]:
        return [await queue.get() for _ in range(3)]

    task = loop.spawn(consumer())
    for number in range(3):
        loop.call_later(number, queue.put, number)
    assert loop.run_until(task) == [0, 1, 2]


def test_a_signal_wakes_all_who_wait() -> None:
    loop = Loop()
    signal = Signal(loop)

    async def waiter() -> int:
        await signal.wait()
        return loop.now

    tasks = [loop.spawn(waiter()) for _ in range(3)]
    loop.call_later(7, signal.notify)
    assert [loop.run_until(task) for task in tasks] == [7, 7, 7]


def test_an_exception_reaches_who_awaits() -> None:
    loop = Loop()

    async def broken() -> None:
        await loop.sleep(1)
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        loop.run_until(loop.spawn(broken()))


def test_the_same_seed_is_the_same_run() -> None:
    assert [Loop(7).random.random() for _ in range(2)][0] == Loop(7).random.random()
