"""What a network makes of a picture by bands, as rows of a file: nothing of it is ever whole."""
