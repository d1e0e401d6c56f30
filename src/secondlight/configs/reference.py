# The reference's behaviour to the letter, its defects included: for comparing with its outputs.
# docs/deviations.md lists what each of these does.
config.reproduceReferenceDefects = True
config.repair.reproduceReferenceDefects = True
config.detection.reproduceReferenceDefects = True
config.deblend.reproduceReferenceDefects = True
config.measurement.reproduceReferenceDefects = True
config.measurement.plugins["base_CircularApertureFlux"].reproduceReferenceDefects = True
config.measurement.undeblended["base_CircularApertureFlux"].reproduceReferenceDefects = True
config.measurement.plugins["base_SdssShape"].reproduceReferenceDefects = True
config.measurement.undeblended["base_SdssShape"].reproduceReferenceDefects = True
config.compute_summary_stats.reproduceReferenceDefects = True
