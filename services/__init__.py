"""Recourse services: one package per process, and what they share (`domain`, `platform`, `clients`)."""
