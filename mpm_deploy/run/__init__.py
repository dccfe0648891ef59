"""The runner turns images into label maps.

images ─▶ fit ─▶ window_batches ─▶ scores ─▶ label maps ─▶ results
          └────────── side by side in a pipeline ──────────┘
"""
