"""The order service: orders as sold, their shipments, and who holds their units."""
