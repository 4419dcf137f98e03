"""Pages that need no server and no connection: one file with its data, its scripts and its styles.

The content security policy of a page lets run only the scripts whose digests it names and forbids every
request, so that neither a name in a model nor a library can fetch or send anything.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import json

from resflops._version import __version__

__all__ = ["render_standalone"]

SOURCE_MAP = re.compile(r"(//|/\*)# sourceMappingURL=\S+( \*/)?")
"""A comment that makes developer tools ask for another file."""


def render_standalone(
    template: str,
    *,
    scripts: Sequence[str],
    styles: Sequence[str],
    data: dict[str, Any],
    **values: Any,  # noqa: ANN401 - whatever the template shows
) -> str:
    """Render a page that is complete in itself.

    Args:
        template: the name of the template.
        scripts: the scripts among the assets, in an order in which each finds what it needs from the start.
        styles: the style sheets among the assets.
        data: what the scripts show.
        values: what the template shows.
    """
    # The digests in the content security policy are of the scripts as they stand in the page, so the texts
    # are read once and used for both.
    texts = [_read_asset(name) for name in scripts]
    page = Environment(
        loader=PackageLoader("resflops.report"), autoescape=True, undefined=StrictUndefined
    ).get_template(template)
    return page.render(
        version=__version__,
        styles=[Markup(_read_asset(name)) for name in styles],  # noqa: S704 - files of this package
        scripts=[Markup(text) for text in texts],  # noqa: S704
        digests=[_compute_digest(text) for text in texts],
        data=Markup(_encode_for_script(data)),  # noqa: S704 - escaped for where it stands
        **values,
    )


def _encode_for_script(data: dict[str, Any]) -> str:
    """Encode JSON that ends no script element and opens no comment, whatever names are in it."""
    text = json.encode(data).decode()
    # Before ES2019 the last two ended a line in JavaScript, even inside a string.
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _read_asset(name: str) -> str:
    text = files("resflops.report").joinpath("assets", name).read_text(encoding="utf-8")
    return SOURCE_MAP.sub("", text)


def _compute_digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
