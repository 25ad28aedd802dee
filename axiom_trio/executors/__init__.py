"""Where output comes from: processes on pipes or PTYs, streams, functions."""
