"""Running one stage in processes of its own: started, watched, ended with all that it started.

What runs before DVC is imported has to import little: see `launch`.
"""
