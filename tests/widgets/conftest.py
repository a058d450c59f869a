"""What the tests of the live picture share."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from sandbox import Broker
from tests.widgets.page import FrontEnd, prepare


@pytest.fixture
def front(module_page: Page) -> Callable[[Broker], FrontEnd]:
    """Opens the front end of a broker, on a light page of 1,100 px."""
    module_page.set_viewport_size({"width": 1100, "height": 900})
    prepare(module_page)
    return lambda broker: FrontEnd(module_page, broker)
