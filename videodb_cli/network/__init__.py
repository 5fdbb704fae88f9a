"""How a host is reached: by which proxy or directly, and which certificates are trusted. One decision for everything.

The control plane, the event socket, `events forward`, webhooks and `doctor` all ask here. Neither httpx nor websockets
reads the environment: they read it differently, and half of a program behind a proxy helps nobody.
"""
