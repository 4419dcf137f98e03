"""A model whose names try to break out of every format, and a browser that opens pages about costs."""

import json
import shutil

import pytest
import torch
from msgspec.structs import replace
from torch import nn

import resflops
from resflops.report.curve_page import render_curve_page
from resflops.report.explorer import render_explorer
from resflops.report.memory_page import render_memory_page

NAMES = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!-- a",
    "a|b",
    "=cmd()",
    "+1",
    "@SUM(A1)",
    "100%",
    "`code`",
    "two\nlines",
    "\r\nlines",
    "tab\there",
    "$x_1$ & \\alpha {}",
    "a--b ~~c~~",
    "&lt;b&gt;",
    "{{ 7 * 7 }}{% x %}",
    "\x1b[31mred",
    "\u202eright to left",
    "**bold** _i_ [a](http://x)",
    "]]>",
    "\"quoted\" 'twice'",
    "long" * 100,
)
MODEL = "<script>|=cmd()`%\n$"


class Chain(nn.Module):
    """One convolution inside each module that is named, one after the other."""

    def __init__(self, names):
        super().__init__()
        for name in names:
            self.add_module(name, nn.Sequential(nn.Conv2d(2, 2, 1)))

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x


@pytest.fixture(scope="session")
def hostile_names():
    return NAMES


@pytest.fixture(scope="session")
def hostile_cost():
    trace = resflops.trace(Chain(NAMES), torch.zeros(1, 2, 4, 4))
    stages = {name: f"stage {name}" for name in NAMES}
    return resflops.count(replace(trace, model=MODEL, stages=stages))


@pytest.fixture(scope="session")
def cost_of_a_chain():
    """The cost of as many layers as asked for."""
    return lambda layers: resflops.count(Chain([f"layer{n}" for n in range(layers)]), (1, 2, 8, 8))


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--window-size=1300,1600",
)  # fmt: skip


class PageInBrowser:
    """A page about costs as a reader sees it; what is not said here is the driver's."""

    def __init__(self, driver):
        self.driver = driver

    def __getattr__(self, name):
        return getattr(self.driver, name)

    def go(self, address):
        # From another page, since a new part after the # alone loads nothing.
        self.driver.get("about:blank")
        self.driver.get(address)
        self.wait(
            "return document.querySelector('#layers :is(.tabulator-row, .tabulator-placeholder)') !== null"
        )

    def wait(self, script, seconds=10):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(
            lambda _: self.driver.execute_script(script)
        )

    def choose(self, control, text):
        from selenium.webdriver.support.ui import Select

        Select(self.driver.find_element("id", control)).select_by_visible_text(text)


@pytest.fixture(scope="session")
def costs():
    return [resflops.count(resflops.load(name), (1, 3, 224, 224)) for name in ("resnet34", "vgg19")]


@pytest.fixture(scope="session")
def named(costs):
    return [
        replace(cost, trace=replace(cost.trace, model=name))
        for cost, name in zip(costs, ("resnet34", "vgg19"), strict=True)
    ]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.skip("no Chromium with its chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(switch)
    downloads = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    running.downloads = downloads
    yield running
    running.quit()


def check_asked_for_itself_alone(browser, page):
    """Check that a page has complained of nothing, and has asked for nothing but itself."""
    assert browser.get_log("browser") == []
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    assert {
        each["params"]["request"]["url"]
        for each in asked
        if each["method"] == "Network.requestWillBeSent"
        and each["params"]["documentURL"].partition("#")[0] == page
        # Such an address is its own content: nobody is asked.
        and not each["params"]["request"]["url"].startswith("data:")
    } == {page}


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page about costs; what it complains of or asks for is an error."""

    def open_page(costs, address=""):
        file = tmp_path / "page.html"
        file.write_text(render_explorer(costs), encoding="utf-8")
        shown = PageInBrowser(browser)
        shown.go(file.as_uri() + address)
        return shown

    yield open_page
    check_asked_for_itself_alone(browser, (tmp_path / "page.html").as_uri())


@pytest.fixture
def opened_memory(browser, tmp_path):
    """Opens the page about a memory; what it complains of or asks for is an error."""

    def open_page(memory, address=""):
        file = tmp_path / "memory.html"
        file.write_text(render_memory_page(memory), encoding="utf-8")
        browser.get("about:blank")
        browser.get(file.as_uri() + address)
        return PageInBrowser(browser)

    yield open_page
    check_asked_for_itself_alone(browser, (tmp_path / "memory.html").as_uri())


@pytest.fixture
def opened_curves(browser, tmp_path):
    """Opens the page about curves; what it complains of or asks for is an error."""

    def open_page(curves):
        file = tmp_path / "curves.html"
        file.write_text(render_curve_page(curves), encoding="utf-8")
        browser.get("about:blank")
        browser.get(file.as_uri())
        return PageInBrowser(browser)

    yield open_page
    check_asked_for_itself_alone(browser, (tmp_path / "curves.html").as_uri())
