"""The dossier: pages that a regulator reads in any browser and that check themselves offline."""
