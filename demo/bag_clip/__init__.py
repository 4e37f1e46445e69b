"""The demo clip: a backpack on a luggage carousel, built from shapes, textures and motion made here.

``shapes`` and ``textures`` are the material, ``motion`` says where everything is at a time, ``scene`` puts the hall
together, ``renderer`` draws it and ``truth`` measures the target.
"""
