"""One Chromium for all tests of a module, for those that run in the module's event loop; no page outlives its test."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.timing.control.console.browser.ridden import chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_chromium() -> AsyncIterator[Browser]:
    """Started with the first test that asks for it."""
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def browser(module_chromium: Browser) -> AsyncIterator[Browser]:
    """It, with nothing open."""
    yield module_chromium
    for context in module_chromium.contexts:
        await context.close()
