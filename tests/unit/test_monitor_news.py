"""What comes in a burst is told once, soon, on the loop; what comes later is told again."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from daemon.monitor.news import News


def test_a_burst_from_another_thread_is_told_once_and_the_next_again() -> None:
    """A hundred messages are one piece of news; after it has been told, one message is another."""
    told: list[float] = []

    async def listen() -> None:
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[float]()
        news = News(lambda: heard.put_nowait(loop.time()), loop, gather_s=0.02)
        with ThreadPoolExecutor(1) as feed:
            feed.submit(lambda: [news.arrived() for _ in range(100)]).result()
            told.append(await heard.get())
            assert heard.empty()
            feed.submit(news.arrived).result()
            told.append(await heard.get())

    asyncio.run(listen())
    assert told[1] - told[0] >= 0.02


def test_nobody_is_told_once_the_loop_is_closed() -> None:
    """The thread that listens may outlive the web server by a message."""
    loop = asyncio.new_event_loop()
    news = News(lambda: None, loop)
    loop.close()
    news.arrived()
