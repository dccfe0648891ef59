"""Shows results to people: tables on a console, charts, pictures, galleries of them,
and the page.
"""
