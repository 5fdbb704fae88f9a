"""Recorders: what brings the media of channels to the service. All stand behind `base.Recorder`."""
