"""The first bytes of kinds of pictures that our own readers decode."""

PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""In both byte orders, and with long offsets (BigTIFF)."""

PAM = b"P7\n"
