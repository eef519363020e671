"""Bands: a network at a picture's full size in runs of rows, so that no map is ever whole.

The way through, top to bottom:

    plan       BandPlan: the steps of every band, and the rows of the output that each makes
    excerpt    a network as one band sees it, for the search
    search     which height of bands, and which steps, are the fastest that fit
"""
