"""Makes the gallery: pictures of what an artifact makes of images, and the figures beside them.

image ─▶ Runner ─┬─▶ NAME.labels.png       the image, its label map over it
                 ├─▶ NAME.merges.png       the patches that share a token, after each merge
                 ├─▶ NAME.difference.png   where another artifact sees other classes
                 ├─▶ NAME.loss.png         where only the other artifact is right
                 └─▶ NAME.pair.png         two images, as of one scene by day and by night
all of them ───────▶ pictures.json         tokens kept, distances; `mpm-deploy report` reads it

    index     what pictures.json holds
    truth     true label maps from a folder
    rows      the panels of each picture
    painter   image after image: pictures to files, figures to the index
    make      all of it
"""

from mpm_deploy.show.gallery.index import INDEX, SCHEMA, Gallery, Picture, PictureEntry
from mpm_deploy.show.gallery.make import make_gallery

__all__ = ["INDEX", "SCHEMA", "Gallery", "Picture", "PictureEntry", "make_gallery"]
