"""Where the merged stream goes."""
