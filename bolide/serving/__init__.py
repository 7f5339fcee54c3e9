"""What a server needs to serve: sockets, an event loop, the application."""
