"""The one way in which the host refuses an app: before anything runs, with a sentence that says what to change.

Raised by whatever reads the app, its host.json, its settings or its keys; the command prints it and exits with 2.
"""


class AppRefused(Exception):
    """The app, its host.json or its settings ask for something this host cannot do, or are wrong."""
