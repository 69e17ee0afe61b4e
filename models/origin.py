"""What a card says of how a network came about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one training.

    Attributes:
        command: that was typed.
        date: of today, ISO 8601.
        configuration: the text of the configuration file (TOML), if one was given.
    """

    command: str
    date: str
    configuration: str = ""

    def told(self) -> str:
        """In Markdown: the command, and what the configuration file said."""
        if not self.configuration:
            return f"`{self.command}`"
        return f"`{self.command}`, where the file says\n\n```toml\n{self.configuration.strip()}\n```"
