"""One module for each kind of evidence."""
