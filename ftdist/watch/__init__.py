"""`ftdist watch`: a camera, a stream or a folder into which files fall, the newest frame first."""
