"""The view of a run on a terminal: the stream above, a live footer below, one writer for both."""
