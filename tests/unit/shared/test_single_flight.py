"""Joining concurrent requests for the same work."""

import asyncio

import pytest

from shared.single_flight import SingleFlight


class Work:
    """Counts its runs and waits to be let go; `most` is how many ran at once at most."""

    def __init__(self) -> None:
        self.started = 0
        self.ended = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.errors: list[Exception] = []

    async def __call__(self) -> None:
        self.started += 1
        self.most = max(self.most, self.started - self.ended)
        try:
            await self.gate.wait()
            if self.errors:
                raise self.errors.pop()
        finally:
            self.ended += 1


async def turn(times: int = 5) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_those_who_ask_before_a_run_begins_share_it() -> None:
    flight, work = SingleFlight(), Work()
    work.gate.set()
    await asyncio.gather(*(flight.run("contoso", work) for _ in range(50)))
    assert work.started == 1


async def test_those_who_ask_during_a_run_share_the_next_one() -> None:
    flight, work = SingleFlight(), Work()
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    later = [asyncio.create_task(flight.run("contoso", work)) for _ in range(50)]
    await turn()
    work.gate.set()
    await asyncio.gather(first, *later)
    assert work.started == 2


async def test_a_run_does_not_begin_before_the_one_under_way_has_ended() -> None:
    flight, work = SingleFlight(), Work()
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    second = asyncio.create_task(flight.run("contoso", work))
    await turn()
    assert work.started == 1
    work.gate.set()
    await asyncio.gather(first, second)
    assert (work.started, work.most) == (2, 1)


async def test_different_keys_do_not_wait_for_each_other() -> None:
    flight, work = SingleFlight(), Work()
    runs = [asyncio.create_task(flight.run(key, work)) for key in ("contoso", "fabrikam")]
    await turn()
    assert work.started == 2
    work.gate.set()
    await asyncio.gather(*runs)


async def test_the_error_of_a_run_reaches_everybody_who_shared_it() -> None:
    flight, work = SingleFlight(), Work()
    error = OSError("the table does not answer")
    work.errors = [error]
    work.gate.set()
    answers = await asyncio.gather(*(flight.run("contoso", work) for _ in range(3)), return_exceptions=True)
    assert answers == [error] * 3


async def test_a_failed_run_does_not_fail_the_next_one() -> None:
    flight, work = SingleFlight(), Work()
    work.errors = [OSError("the table does not answer")]
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    second = asyncio.create_task(flight.run("contoso", work))
    work.gate.set()
    with pytest.raises(OSError, match="does not answer"):
        await first
    await second
    assert work.ended == 2


async def test_a_caller_that_is_cancelled_leaves_the_run_to_the_others() -> None:
    flight, work = SingleFlight(), Work()
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    other = asyncio.create_task(flight.run("contoso", work))
    await turn()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.gate.set()
    await other
    assert (work.started, work.ended) == (2, 2)


async def test_a_cancelled_caller_that_waited_leaves_the_waiting_run_to_the_others() -> None:
    flight, work = SingleFlight(), Work()
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    cancelled, other = (asyncio.create_task(flight.run("contoso", work)) for _ in range(2))
    await turn()
    cancelled.cancel()
    await turn()
    work.gate.set()
    await asyncio.gather(first, other)
    assert work.ended == 2


async def test_a_run_whose_callers_all_left_goes_on_and_is_waited_for() -> None:
    flight, work = SingleFlight(), Work()
    alone = asyncio.create_task(flight.run("contoso", work))
    await turn()
    alone.cancel()
    await turn()
    next_one = asyncio.create_task(flight.run("contoso", work))
    await turn()
    assert work.started == 1
    work.gate.set()
    await next_one
    assert (work.started, work.most) == (2, 1)


async def test_nothing_is_kept_of_what_has_ended() -> None:
    flight, work = SingleFlight(), Work()
    work.gate.set()
    for number in range(20):
        await flight.run(f"customer-{number}", work)
    await turn()
    assert not flight._running
    assert not flight._waiting


async def test_a_run_waits_until_it_begins_and_no_longer() -> None:
    flight, work = SingleFlight(), Work()
    assert not flight.is_waiting("contoso")
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    assert not flight.is_waiting("contoso")  # it began, and may be past what was done since
    second = asyncio.create_task(flight.run("contoso", work))
    await turn()
    assert flight.is_waiting("contoso")
    assert not flight.is_waiting("fabrikam")
    work.gate.set()
    await asyncio.gather(first, second)
    assert not flight.is_waiting("contoso")


async def test_a_run_whose_caller_was_cancelled_still_begins_and_is_waited_for() -> None:
    flight, work = SingleFlight(), Work()
    first = asyncio.create_task(flight.run("contoso", work))
    await turn()
    second = asyncio.create_task(flight.run("contoso", work))
    await turn()
    second.cancel()
    await turn()
    assert flight.is_waiting("contoso")
    work.gate.set()
    await first
    await turn()
    assert (work.started, work.ended) == (2, 2)
    assert not flight.is_waiting("contoso")
