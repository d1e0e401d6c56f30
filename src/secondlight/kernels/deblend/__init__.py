"""Kernels of the deblender (spec 06): from the pixels of blends to those of their children.

Everything is in the indices of the image's arrays, not in parent coordinates.
"""
