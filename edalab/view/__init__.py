"""Pictures: of a run (`timeline`, `flow`, `lanes`, `lag`, `load`, `copies`, `saga_map`), of two runs (`compare`), of
many runs (`matrix`) and of an event store (`as_of`). matplotlib and networkx are imported when first needed."""

from .as_of import as_of
from .compare import compare
from .copies import copies
from .fault_matrix import matrix
from .flow import flow
from .lag import lag
from .lanes import lanes
from .load import load
from .picture import Picture
from .saga_map import saga_map
from .timeline import timeline

__all__ = ["Picture", "as_of", "compare", "copies", "flow", "lag", "lanes", "matrix"]
__all__ += ["load", "saga_map", "timeline"]


def __dir__() -> list[str]:
    return __all__
