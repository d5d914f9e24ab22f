"""Load each dataset in a module of its own, which registers its loader with `registry.load_dataset`."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
