"""A command rewrites its own section of a file and nothing else."""

import pytest

from models.marked_section import with_section

PAGE = "# Title\n\nby hand, above\n"


def test_a_new_section_comes_at_the_end():
    """What was there stays in front of it."""
    text = with_section(PAGE, "table a", "first")
    assert text.startswith(PAGE)
    assert text.count("first") == 1


def test_a_section_is_replaced_in_its_place():
    """Text before and behind stays to the letter; written twice it is the same."""
    text = with_section(with_section(PAGE, "table a", "first"), "table b", "other") + "\nby hand, below\n"
    again = with_section(text, "table a", "second")
    assert again == text.replace("first", "second")
    assert with_section(again, "table a", "second") == again


def test_an_empty_file_gets_only_the_section():
    """It begins with it."""
    assert with_section("", "table a", "first").startswith("<!-- table a")


def test_a_section_without_an_end_is_not_guessed():
    """Everything behind it could belong to it."""
    broken = with_section(PAGE, "table a", "first").replace("<!-- end of table a -->", "")
    with pytest.raises(ValueError, match="'table a' has no end"):
        with_section(broken, "table a", "second")
