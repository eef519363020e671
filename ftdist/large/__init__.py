"""A picture too large to be whole in memory: from file to file, in bands of rows.

kept       rows of the photo that rows of the result will want
results    what is made of rows of a network's map: a picture, or the map itself
labelled   the same of a segmentation: classes of pixels
objects    the same of a detector
journal    what a run leaves beside its output, to go on from
making     a run that writes a picture or an array
finding    a run that finds objects
asking     both for programs
"""
