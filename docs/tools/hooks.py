"""What the site has beyond its pages: references made from the program, never out of date."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "tools")]  # mkdocs imports a hook from its path alone

from reference import command_line_tables, configuration_tables  # noqa: E402


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Append what is generated; a link to the commented file means, on the site, the page made from it."""
    here = page.file.src_uri
    if here == "reference/configuration.md":
        markdown += "\n" + configuration_tables(ROOT / "config.toml")
    if here == "reference/command-line.md":
        markdown += "\n" + command_line_tables()
    markdown = markdown.replace("[`config.toml`](../../config.toml)", "`config.toml` in the repository")
    return markdown.replace("](../config.toml)", "](reference/configuration.md)")
