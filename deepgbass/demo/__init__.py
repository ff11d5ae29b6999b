"""A web page on this machine that segments the images dropped on it."""
