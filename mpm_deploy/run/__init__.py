"""The runner turns images into label maps.

sources ─▶ images ─▶ fit ─▶ window_batches ─▶ scores ─▶ label maps ─▶ results
                     └────────── side by side in a pipeline ──────────┘
"""
