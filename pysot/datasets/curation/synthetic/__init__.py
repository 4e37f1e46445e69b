"""Annotated videos that are drawn: textures, figures, scenes and their pictures, all functions of a seed."""
