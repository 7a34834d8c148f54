"""Migrations of the driver's tables in Neutron's database."""
