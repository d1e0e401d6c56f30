# LSSTCam: fiducial values of the summary statistics, by band.
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
    "u": 26.56,
    "g": 28.59,
    "r": 28.50,
    "i": 28.29,
    "z": 27.90,
    "y": 26.87,
}
config.compute_summary_stats.fiducialMagLim = {
    "u": 23.70,
    "g": 24.97,
    "r": 24.52,
    "i": 24.13,
    "z": 23.56,
    "y": 22.55,
}
