"""ftdist runs convolutional networks whose feature maps do not fit in memory: tiled, exact, fast."""

__version__ = "0.1.0"
