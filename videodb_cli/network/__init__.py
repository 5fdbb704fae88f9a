"""How a host is reached: by which proxy or directly, and which certificates are trusted. One decision for everything.

The control plane, the event socket, `events forward`, webhooks and `doctor` all ask here. httpx and websockets do
not read the environment themselves, because each of them understands it differently.
"""
