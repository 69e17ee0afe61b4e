"""What can go wrong with a network: every error says what, where, and the remedy."""


class ModelError(Exception):
    """Anything that keeps a network from being loaded, used or trained.

    Args:
        what: what is wrong, a sentence without its full stop.
        where: the file, provider or array it was found in.
        remedy: what the reader can do about it.
    """

    def __init__(self, what: str, where: str, remedy: str) -> None:
        super().__init__(f"{what} ({where}). {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class ModelFileMissingError(ModelError):
    """There is no file at the configured path."""


class ModelFileCorruptError(ModelError):
    """The file is no network, or not the one its checksum was made for."""


class ModelMetadataInvalidError(ModelError):
    """The file is an ONNX network, but does not say how to feed it."""


class ModelMismatchError(ModelError):
    """The network was made for other images than it is to be given."""


class ProviderUnavailableError(ModelError):
    """The requested hardware cannot run the network, and falling back was not allowed."""


class CheckpointMismatchError(ModelError):
    """An interrupted training was started again with other settings."""


class CheckpointDamagedError(ModelError):
    """What an interrupted training left cannot be read."""


class ExportError(ModelError):
    """The exported network does not compute what the trained one does."""
