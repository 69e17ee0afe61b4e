"""What comes in a burst is told once, soon, on the loop; what comes later is told again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon.monitor.news import News


def test_a_burst_from_another_thread_is_told_once_and_the_next_again() -> None:
    """A hundred messages are one piece of news; after it has been told, one message is another."""
    told: list[float] = []

    async def listen() -> None:
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[float]()
        news = News(lambda: heard.put_nowait(loop.time()), loop, pause_s=0.02)
        with ThreadPoolExecutor(1) as feed:
            feed.submit(lambda: [news.arrived() for _ in range(100)]).result()
            told.append(await heard.get())
            assert heard.empty()
            feed.submit(news.arrived).result()
            told.append(await heard.get())

    asyncio.run(listen())
    assert told[1] - told[0] >= 0.02


@pytest.mark.parametrize(
    ("messages", "pause_s", "at_last_s", "least", "most"),
    [pytest.param(5, 1.0, 60.0, 1, 1, id="a breath"), pytest.param(500, 60.0, 0.1, 2, 500, id="without end")],
)
def test_a_breath_does_not_end_a_burst_and_talk_without_end_is_told_now_and_then(
    messages: int, pause_s: float, at_last_s: float, least: int, most: int
) -> None:
    """What comes before the pause is over joins what came before; nobody's talk delays the news for ever."""
    told: list[int] = []

    async def talk() -> None:
        loop, heard, all_told = asyncio.get_running_loop(), 0, asyncio.Event()

        def tell() -> None:
            told.append(heard)
            if heard == messages:
                all_told.set()

        news = News(tell, loop, pause_s, at_last_s)
        for _ in range(messages):
            heard += 1
            news.arrived()
            await asyncio.sleep(0.001)
        await all_told.wait()

    asyncio.run(talk())
    assert least <= len(told) <= most


def test_nobody_is_told_once_the_loop_is_closed() -> None:
    """The thread that listens may outlive the web server by a message."""
    loop = asyncio.new_event_loop()
    news = News(lambda: None, loop)
    loop.close()
    news.arrived()
