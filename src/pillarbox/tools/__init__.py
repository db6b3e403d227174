"""Commands: a thin module for each.

Most are done within some hundredths of a second, which go into loading code: a sixth of it went into looking for
garbage among what was being loaded, and as much into looking for it once more before the end.
"""

import atexit
import gc

_OBJECTS_BETWEEN_COLLECTIONS = 50_000

gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
atexit.register(gc.freeze)
