"""The part of a Markdown file that a command writes, between two comments; the rest stays a person's."""


def with_section(text: str, name: str, body: str) -> str:
    """``text`` with ``body`` in the section of this name; one that is not there comes at the end.

    Raises:
        ValueError: the section's beginning stands there without its end.
    """
    begin, end = f"<!-- {name}: written by a command -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{body.strip()}\n{end}"
    before, found, rest = text.partition(begin)
    if not found:
        return f"{text.rstrip()}\n\n{section}\n".lstrip()
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"the section {name!r} has no end")
    return before + section + after
