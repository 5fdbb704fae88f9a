"""The control plane of the service: one method for each endpoint, typed answers, typed failures."""
