"""Ids of the Hugging Face Hub, from which nothing is downloaded: what to do instead."""

import os
import re
from pathlib import Path

__all__ = ["URL", "advise_on_hub_id", "is_hub_id"]

URL = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/")
ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_id(name: str) -> bool:
    """Tell whether a name has the form of a model's id on the Hub, ``owner/name``, or of its address."""
    return bool(URL.match(name) or ID.fullmatch(name))


def advise_on_hub_id(name: str) -> str:
    """Say how to count a model of the Hub: by its config, which its cache may have already."""
    hub_id = URL.sub("", name).strip("/")
    folder = hub_id.rpartition("/")[2]
    if cached := _find_cached_config(hub_id):
        return f"nothing is downloaded, but the cache of Hugging Face has its config: hf/{cached}"
    return (
        "nothing is downloaded; save its config.json, as with "
        f"`hf download {hub_id} config.json --local-dir {folder}`, and give hf/{folder}/config.json"
    )


def _find_cached_config(hub_id: str) -> str:
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    # The Hub's own names of its folders.
    folder = cache / f"models--{hub_id.replace('/', '--')}" / "snapshots"
    try:
        found = sorted(folder.glob("*/config.json"))
    except (OSError, ValueError):
        return ""
    return str(found[-1]) if found else ""
