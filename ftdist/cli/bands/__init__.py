"""`ftdist run` of a picture that is too large to be whole in memory: in bands, file to file."""
