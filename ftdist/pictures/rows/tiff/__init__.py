"""TIFF and BigTIFF by rows."""
