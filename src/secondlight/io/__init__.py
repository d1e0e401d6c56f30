"""Files of the field, in and out: afw FITS, lsst.images, parquet; no arithmetic on pixels."""
