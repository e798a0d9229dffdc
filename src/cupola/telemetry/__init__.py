"""What Cupola tells about itself while it runs. So far: a log, in `log`."""
