# The reference's behaviour to the letter, its defects included: for comparing with its outputs.
# docs/deviations.md lists what each of these does.
config.reproduceReferenceDefects = True
config.repair.reproduceReferenceDefects = True
config.detection.reproduceReferenceDefects = True
config.deblend.reproduceReferenceDefects = True
config.measurement.reproduceReferenceDefects = True
for plugins in (config.measurement.plugins, config.measurement.undeblended):
    plugins["base_CircularApertureFlux"].reproduceReferenceDefects = True
    plugins["base_ScaledApertureFlux"].reproduceReferenceDefects = True
    plugins["base_SdssShape"].reproduceReferenceDefects = True
    plugins["ext_photometryKron_KronFlux"].reproduceReferenceDefects = True
config.compute_summary_stats.reproduceReferenceDefects = True
