"""The Chromium of the console's own tests, and one state folder for the compiled kernels of all that start a core."""

from pathlib import Path

import pytest

from tests.timing.control.console.browser.conftest import browser, module_chromium

__all__ = ["browser", "module_chromium"]


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder that these tests share with those of the demo."""
    folder = tmp_path_factory.getbasetemp() / "velodrome-state"
    folder.mkdir(exist_ok=True)
    return folder
