"""Reading the files that the reference's C++ stack writes: FITS with archives of stored objects (spec 11)."""
