"""The Azure Functions host on loopback: triggers, bindings and keys around Microsoft's own Python worker library.

Run as `python -m local.functions_host --app-dir DIR --port N --clock-file F --ready-file F`. The app is imported,
indexed and run by azure-functions-runtime, the library that Azure runs, in this same process; this package
supplies what the .NET host does around it and refuses by name what it does not imitate.
"""
