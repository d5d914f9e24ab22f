"""Decode symbols by each strategy in a module of its own, which registers itself with `registry.decode_batch`."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
