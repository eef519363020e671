"""Many pictures: what `ftdist batch` and ``ftdist.batch`` do, but for what is printed.

In the order in which a picture passes:

    listing     which inputs there are
    videos      frames of videos among them
    inputs      a file as a network's input
    room        who may decode or draw now, within the budget
    stages      reading, computing and finishing overlap; results come in order
    lanes       sessions side by side, and how many
    answers     outputs as a record of JSON
    spool       records so far, on the disk, to go on from
    formats     records as CSV, COCO, Parquet
    films       drawn frames as a video
"""
