"""One module a comparison; see ../harness.py."""
