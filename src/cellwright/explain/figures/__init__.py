"""Pictures: equations → wiring → columns, heights, tracks → scene → SVG.

`figure.py` is the door; `wiring.py` and `scene.py` say what goes in and what comes out.
"""
