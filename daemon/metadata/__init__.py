"""What a microscope says of an image: FEI/Thermo, Zeiss, or a side-car table for files that say nothing.

Each vendor's module turns the raw text of its TIFF tags into a ``FrameMetadata``. Blanks are common and mean
"not said" (None), never 0. Times are those of the microscope's own clock, which has no time zone.
"""
