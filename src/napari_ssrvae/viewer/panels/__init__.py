"""The panels of the dock, one a file, in the order of the work."""
