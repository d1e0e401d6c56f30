# LSSTComCam: the flat's ratio, and fiducial values of the summary statistics, by band.
config.do_apply_flat_background_ratio = True
config.compute_summary_stats.fiducialPsfSigma = {
    "u": 1.72,
    "g": 1.63,
    "r": 1.56,
    "i": 1.51,
    "z": 1.47,
    "y": 1.44,
}
config.compute_summary_stats.fiducialSkyBackground = {
    "u": 1.51,
    "g": 15.45,
    "r": 32.95,
    "i": 52.94,
    "z": 79.40,
    "y": 90.57,
}
config.compute_summary_stats.fiducialZeroPoint = {
    "u": 26.52,
    "g": 28.51,
    "r": 28.36,
    "i": 28.17,
    "z": 27.78,
    "y": 26.82,
}
