"""How files arrive: in one request (handlers), or in pieces by the tus protocol, over broken connections."""
