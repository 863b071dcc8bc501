"""The routes, one module per topic: parse, check who may, call one verb, answer."""
