"""Limits that hold: begin with `law`, then `model`; `service.Limiter` is what the gateway calls."""
