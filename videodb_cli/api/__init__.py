"""The control plane of the service: one method an endpoint, typed answers, typed failures."""
