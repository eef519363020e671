"""Runs a network band by band: a picture's rows in, rows of the outputs out."""
