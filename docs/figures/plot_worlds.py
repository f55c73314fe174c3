"""
Worlds without a download
=========================

Three built-in sets, drawn when they are asked for: colored rooms, faces, and a light tunnel whose
variables cause each other.
"""

import numpy as np

import untwine as ut

figures = []
for world in (ut.data.Rooms3D(), ut.data.DrawnFaces(), ut.data.LightTunnel(n=100)):
    rows = np.random.default_rng(0).integers(0, len(world), 10)
    print(world)
    figures.append(ut.plots.samples(world.observations(rows)))
