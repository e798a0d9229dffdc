"""A worker does its work in one thread, in order, whoever still waits for it."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from cupola.kit.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker("test worker")
    yield made
    made.stop()


async def test_work_is_done_in_order_in_one_thread_of_its_own(worker):
    done = []

    def work(number):
        done.append(number)
        return number, threading.current_thread()

    results = await asyncio.gather(*(worker.do(lambda i=i: work(i)) for i in range(100)))
    assert done == list(range(100))
    assert [number for number, _ in results] == done
    threads = {thread for _, thread in results}
    assert len(threads) == 1
    assert threading.main_thread() not in threads


async def test_a_failure_reaches_who_waits_and_nobody_else(worker):
    def fail():
        raise ZeroDivisionError("of the work")

    failed, done = worker.do(fail), worker.do(lambda: "done")
    with pytest.raises(ZeroDivisionError, match="of the work"):
        await failed
    assert await done == "done"


async def test_what_nobody_waits_for_any_more_is_done_all_the_same(worker):
    begin, done = threading.Event(), []
    first = worker.do(begin.wait)
    given_up = worker.do(lambda: done.append("given up"))
    failed = worker.do(lambda: 1 / 0)
    given_up.cancel()
    failed.cancel()
    begin.set()
    await first
    assert await worker.do(lambda: "next") == "next"
    assert done == ["given up"]


async def test_after_a_stop_new_work_has_a_new_thread(worker):
    first = await worker.do(threading.current_thread)
    worker.stop()
    await asyncio.to_thread(first.join, 30)
    assert not first.is_alive()
    assert await worker.do(threading.current_thread) is not first


async def test_a_stop_comes_after_what_was_given_before(worker):
    begin = threading.Event()
    first, second = worker.do(begin.wait), worker.do(lambda: "second")
    worker.stop()
    begin.set()
    assert await first
    assert await second == "second"


def test_a_loop_that_is_gone_does_not_end_the_thread(worker):
    begin = threading.Event()

    async def leave_behind():
        worker.do(begin.wait)
        return await asyncio.to_thread(lambda: None)

    asyncio.run(leave_behind())
    begin.set()

    async def ask_again():
        async with asyncio.timeout(30):
            return await worker.do(lambda: "still there")

    assert asyncio.run(ask_again()) == "still there"
