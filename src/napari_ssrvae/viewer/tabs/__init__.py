"""The views below the micrograph, one tab a file: each connects a plain view with the session."""
