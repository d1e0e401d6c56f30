"""The steps of the reprocessing, one file a step: its configuration and a thin task over the arithmetic below."""
