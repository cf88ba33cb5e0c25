"""Branches, staff, clients, holdings, contact points, consent and their import."""
