"""The Functions app: creates the one FunctionApp and registers the triggers, nothing else.

Importing this file needs no network and no settings.
"""

import azure.functions as func

from handlers import http, key_vault_events, timers, work_items

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(http.blueprint)
app.register_functions(key_vault_events.blueprint)
app.register_functions(work_items.blueprint)
app.register_functions(timers.blueprint)
